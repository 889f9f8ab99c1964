// Generated from crds/ by `npm run generate`; do not edit.

/**
 * NodeProxy is one node's share of a ProxyConfig, named as the node: the operator writes its spec, the node's agent its
 * status. People only read it. Deleting it stops nothing: the node keeps its rules and the operator writes it again.
 */
export interface NodeProxy {
  apiVersion: string;
  kind: string;
  /** What the node should run; written by the operator. */
  spec: {
    /** The ProxyConfig that governs the node, at the generation this spec was made from. */
    configRef: {
      /** Its name. */
      name: string;
      /** Its uid; tells a ProxyConfig from an earlier one of the same name. */
      uid: string;
      /** Its metadata.generation. */
      generation: number;
    };
    /** Hash of `config`. Equal configuration has an equal revision on every node. */
    revision: string;
    /**
     * The ProxyConfig's spec without what is the operator's own (nodeSelector, priority, paused, rollout,
     * revisionHistoryLimit), defaults filled in. See `kubectl explain pxc.spec` for its fields.
     */
    config?: {
      [k: string]: unknown;
    };
    /**
     * The connections that the agent tries before it calls a new revision Ready, as spec.rollout.probe of the
     * ProxyConfig asks. Left out: none.
     */
    probe?: {
      /** Seconds between two tries. */
      periodSeconds: number;
      /** Tries in a row that must fail before the node reports ProbeFailed. */
      failureThreshold: number;
      /**
       * The Services to try, by TCP. None named means the API server's own, default/kubernetes.
       *
       * Items: One port of one Service.
       */
      services?: {
        /** The Service's namespace. */
        namespace: string;
        /** The Service's name. */
        name: string;
        /** The Service's port. */
        port: number;
      }[];
    };
  };
  /**
   * What the node does now; written by its agent on a change, not as a heartbeat. observedGeneration -1 means the agent
   * has not reported yet.
   */
  status?: {
    /** The metadata.generation that this status speaks of. */
    observedGeneration?: number;
    /**
     * Pending: not programmed yet. Applying, Verifying: a change is going on. Ready: serves as asked. Drifted: somebody
     * else changed our rules. Degraded: serves, but not as asked, see conditions. RolledBack: went back to the previous
     * revision. Paused: takes no changes.
     */
    state?: 'Pending' | 'Applying' | 'Verifying' | 'Ready' | 'Drifted' | 'Degraded' | 'RolledBack' | 'Paused';
    /** The mode in force, which is the previous one while a new one is refused. */
    mode?: string;
    /** The revision in force; equal to spec.revision when the node is up to date. */
    revision?: string;
    /** The revision before it. */
    previousRevision?: string;
    /** The agent's version. */
    agentVersion?: string;
    /** The node's kernel release, which decides about the modes that it can run. */
    kernel?: string;
    /** When the agent last wrote this status. */
    lastChangeTime?: string;
    /** What stands in the node's kernel. */
    dataplane?: {
      /** Services programmed. */
      services?: number;
      /** Endpoints programmed. */
      endpoints?: number;
      /** Hash of all our kernel objects; equal rules have an equal hash. */
      rulesHash?: string;
      /** How often somebody else changed our rules since the agent started. */
      drifts?: number;
      /** When that last happened. */
      lastDriftTime?: string;
      /**
       * Services that are not programmed because the kernel or a safety check refused them, or because they would make
       * more than 200,000 rules; all others are served.
       */
      quarantinedCount?: number;
      /**
       * The first ten of them.
       *
       * Items: One Service that is not programmed.
       */
      quarantined?: {
        /** The Service's namespace. */
        namespace: string;
        /** The Service's name. */
        name: string;
        /** Why, in one CamelCase word. */
        reason: string;
        /** Why, in a sentence with the remedy. */
        message?: string;
      }[];
      /**
       * The first ten ports of the node that a Service has, as a NodePort or for health checks, and another program
       * listens on. NodePorts are served all the same.
       *
       * Items: One port of one Service.
       */
      portConflicts?: {
        /** The Service's namespace. */
        namespace: string;
        /** The Service's name. */
        name: string;
        /** The port of the node. */
        port: number;
        /** Its protocol. */
        protocol: 'TCP' | 'UDP' | 'SCTP';
      }[];
      /** The last thing that went wrong; empty once all is well again. */
      lastError?: string;
    };
    /**
     * Ready: the node serves as asked. Others say what does not, in the terms of ProxyConfig's conditions.
     *
     * Items: One observation, as in Kubernetes' API conventions.
     */
    conditions?: {
      /** What is observed, e.g. Ready. */
      type: string;
      /** Whether it holds. */
      status: 'True' | 'False' | 'Unknown';
      /** Why, in one CamelCase word for machines. */
      reason: string;
      /** Why, in a sentence for people. */
      message: string;
      /** The metadata.generation that this condition speaks of. */
      observedGeneration?: number;
      /** When status last changed. */
      lastTransitionTime: string;
    }[];
  };
  metadata: import('../objectMeta.ts').ObjectMeta;
}
