// Generated from crds/ by `npm run generate`; do not edit.

export interface ProxyConfig {
  apiVersion: string;
  kind: string;
  metadata: import('./objectMeta.ts').ObjectMeta;
  spec: {
    mode: 'iptables' | 'ipvs' | 'nftables' | 'userspace';
    nodeSelector?: {
      matchLabels?: {
        [k: string]: string;
      };
      matchExpressions?: {
        key: string;
        operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
        values?: string[];
      }[];
    };
    priority: number;
    paused: boolean;
    masquerade: {
      bit: number;
      all: boolean;
    };
    sessionAffinity: {
      timeoutPolicy: 'Service' | 'ReplaceDefault' | 'Cap' | 'Override';
      timeoutSeconds?: number;
    };
    sync: {
      periodSeconds: number;
      minPeriodSeconds: number;
    };
    localTraffic?: {
      detect: 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix';
      clusterCIDRs?: string[];
      interface?: string;
    };
    nodePorts?: {
      addresses?: string[];
    };
    externalIPs?: {
      allowedCIDRs?: string[];
    };
    conntrack: {
      maxPerCore: number;
      min: number;
      tcpEstablishedTimeoutSeconds: number;
      tcpCloseWaitTimeoutSeconds: number;
      udpTimeoutSeconds?: number;
      udpStreamTimeoutSeconds?: number;
      tcpBeLiberal: boolean;
    };
    iptables?: {
      backend: 'Auto' | 'Legacy' | 'Nft';
    };
    nftables?: {
      tableName: string;
    };
    ipvs?: {
      scheduler: 'rr' | 'wrr' | 'lc' | 'wlc' | 'lblc' | 'lblcr' | 'sh' | 'dh' | 'sed' | 'nq' | 'mh';
      strictARP: boolean;
      excludeCIDRs?: string[];
      tcpTimeoutSeconds?: number;
      tcpFinTimeoutSeconds?: number;
      udpTimeoutSeconds?: number;
    };
    userspace?: {
      portRange?: string;
      udpIdleTimeoutSeconds: number;
    };
    migration: {
      strategy: 'PreserveConnections' | 'Replace';
      drainTimeoutSeconds: number;
    };
    drift: {
      policy: 'Enforce' | 'Report';
      checkPeriodSeconds: number;
    };
    rollout: {
      maxUnavailable: number | string;
      minReadySeconds: number;
      progressDeadlineSeconds: number;
      onFailure: 'Rollback' | 'Pause' | 'Continue';
      maxFailures: number | string;
      steps?: {
        setNodes?: number | string;
        pause?: {
          seconds?: number;
        };
      }[];
      probe: {
        enabled: boolean;
        periodSeconds: number;
        failureThreshold: number;
        services?: {
          namespace: string;
          name: string;
          port: number;
        }[];
      };
    };
    revisionHistoryLimit: number;
  };
  status?: {
    observedGeneration?: number;
    observedHash?: string;
    conditions?: {
      type: string;
      status: 'True' | 'False' | 'Unknown';
      reason: string;
      message: string;
      observedGeneration?: number;
      lastTransitionTime: string;
    }[];
    nodes?: {
      matched?: number;
      effective?: number;
      updated?: number;
      ready?: number;
      unavailable?: number;
      drifted?: number;
      failed?: number;
      stale?: number;
    };
    modes?: {
      [k: string]: number;
    };
    rollout?: {
      revision?: string;
      previousRevision?: string;
      state?: 'Idle' | 'Progressing' | 'Paused' | 'RollingBack' | 'RolledBack' | 'Complete' | 'Failed';
      step?: string;
      startedAt?: string;
      completedAt?: string;
      lastProgressAt?: string;
    };
    failures?: {
      node: string;
      reason: string;
      message?: string;
      since?: string;
    }[];
  };
}
