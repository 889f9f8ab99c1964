// Generated from crds/ by `npm run generate`; do not edit.

/**
 * ProxyConfig says how the nodes it selects serve Kubernetes Services: the proxy mode and its settings. The operator
 * picks the one ProxyConfig that governs each node (higher spec.priority, then the older, then the name; one winner, no
 * merging of fields) and hands it to that node's agent in a NodeProxy. Deleting a ProxyConfig never removes a rule from
 * a node: its nodes go to the next ProxyConfig that matches, or keep what they have. Istio has a kind of the same name;
 * `pxc` and `proxyconfigs.proxyconfig.dev` are unambiguous.
 */
export interface ProxyConfig {
  apiVersion: string;
  kind: string;
  metadata: import('../objectMeta.ts').ObjectMeta;
  /**
   * What the selected nodes should do. Only spec.mode has no default; a change is applied to running nodes without a
   * restart.
   */
  spec: {
    /**
     * How a node programs its kernel. iptables: one chain per Service and endpoint, named as kube-proxy names them; the
     * safe choice. nftables: the same in verdict maps, for kernels from 5.13. ipvs: kernel load balancer with its own
     * schedulers. userspace: the agent itself copies the bytes; slow, for nodes where nothing else works. There is no
     * default on purpose. A node that cannot run the mode keeps serving in its previous one and says why in its
     * NodeProxy; agents of this version run iptables and ipvs.
     */
    mode: 'iptables' | 'ipvs' | 'nftables' | 'userspace';
    /**
     * The nodes that this ProxyConfig is for, by their labels; every term must hold. Left out: all Linux nodes. Nodes
     * of other systems never match. Example: {matchLabels: {pool: edge}}.
     */
    nodeSelector?: {
      /** Labels that a node must carry with exactly these values, e.g. {"topology.kubernetes.io/zone": "eu-1a"}. */
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * Conditions on labels, all of which must hold. Example: [{key: pool, operator: NotIn, values: [canary]}].
       *
       * Items: One condition on one label.
       */
      matchExpressions?: {
        /** The label's key, e.g. topology.kubernetes.io/zone. */
        key: string;
        /**
         * In: the label has one of the values. NotIn: it has none of them, or is absent. Exists and DoesNotExist look
         * only for the label itself.
         */
        operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
        /** The values for In and NotIn; to be left out for Exists and DoesNotExist. */
        values?: string[];
      }[];
    };
    /**
     * Which ProxyConfig governs a node that several select: the highest priority. Layering a pool's own ProxyConfig
     * over a general one is normal; only an equal priority is a conflict (the older wins, the other gets the condition
     * Conflicted).
     */
    priority: number;
    /**
     * true stops handing changes of this spec to nodes, at whatever point a rollout has reached; nodes go on serving
     * what they have. This, not rollout.maxUnavailable 0, is how to stop a rollout.
     */
    paused: boolean;
    /** When Service traffic gets the node's address as its source (SNAT), and which packet mark says so. */
    masquerade: {
      /**
       * The bit of the packet mark that says "masquerade this"; the mark is 1 shifted left by it. 14 (0x4000) is
       * kube-proxy's and kubelet's. Choose another where a CNI plugin or firewall on the node uses that bit, e.g. 15
       * for 0x8000.
       */
      bit: number;
      /**
       * true masquerades all traffic to ClusterIPs, also from pods. Backends then see node addresses as clients; needed
       * where replies would not come back through the client's node.
       */
      all: boolean;
    };
    /**
     * How long a client stays with its endpoint in Services with sessionAffinity ClientIP. The API server writes 10800
     * s into every such Service, so that "left out" cannot be told from "10800": hence a policy and not a default
     * value.
     */
    sessionAffinity: {
      /**
       * Service: as each Service asks. ReplaceDefault: timeoutSeconds for Services that ask for Kubernetes' default of
       * 10800 s. Cap: no longer than timeoutSeconds. Override: timeoutSeconds for all.
       */
      timeoutPolicy: 'Service' | 'ReplaceDefault' | 'Cap' | 'Override';
      /**
       * Seconds since a client's last connection after which it may get another endpoint; required unless timeoutPolicy
       * is Service.
       */
      timeoutSeconds?: number;
    };
    /** How often the agent writes rules. Changes are written when they happen; these set the pace. */
    sync: {
      /**
       * Seconds within which a failed write is tried again. /healthz fails when a change has waited twice as long. 30
       * is kube-proxy's.
       */
      periodSeconds: number;
      /**
       * Least seconds between the end of one write and the start of the next; changes in between are written together.
       * 0 paces by cost: the next write begins no sooner after the last one than that one took.
       */
      minPeriodSeconds: number;
    };
    /**
     * How a node tells the cluster's own pods from everything else, so that only foreign traffic to ClusterIPs is
     * masqueraded. Left out: no detection, and ClusterIP traffic is masqueraded only by masquerade.all, as by
     * kube-proxy without a cluster CIDR.
     */
    localTraffic?: {
      /**
       * A pod is local when its address lies in clusterCIDRs (ClusterCIDR) or in the node's own spec.podCIDRs
       * (NodeCIDR), or when its packets come in through the bridge `interface` (BridgeInterface) or an interface whose
       * name begins with `interface` (InterfaceNamePrefix).
       */
      detect: 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix';
      /**
       * The pod networks of the whole cluster, one per IP family; for detect ClusterCIDR. Example: [10.244.0.0/16,
       * "fd00:10:244::/56"].
       */
      clusterCIDRs?: string[];
      /**
       * The bridge's name (cni0) for detect BridgeInterface, or the names' beginning (cali, veth) for
       * InterfaceNamePrefix.
       */
      interface?: string;
    };
    /** Where NodePorts are served. */
    nodePorts?: {
      /**
       * Any of `primary` (the node's first InternalIP of each family), `all` (all the node's addresses), `localhost`
       * (127.0.0.0/8 and ::1/128) and CIDRs, up to 32: the node's addresses inside them serve NodePorts and
       * health-check node ports. Left out: all the node's addresses in iptables, ipvs and userspace mode, the primary
       * ones in nftables mode. `localhost` is for agents to come: those of this version refuse it and keep the
       * configuration before. Whatever stands here, they never serve NodePorts on 127.0.0.1 or ::1. Example: [primary,
       * 192.0.2.0/24].
       */
      addresses?: string[];
    };
    /** Which spec.externalIPs of Services are served. */
    externalIPs?: {
      /**
       * Networks whose addresses Services may claim as externalIPs. Left out or empty: none, because whoever may create
       * a Service could else draw any address's traffic to it (CVE-2020-8554). Example: [198.51.100.0/24].
       */
      allowedCIDRs?: string[];
    };
    /**
     * The kernel's connection tracking, which all but userspace mode stand on. 0 leaves the kernel's own setting alone
     * everywhere. The table's size is only ever raised: max(maxPerCore x CPUs, min). The defaults are kube-proxy's.
     * What a node's kernel does not let its agent set is named in the NodeProxy's condition ConntrackSettings.
     */
    conntrack: {
      /**
       * Tracked connections per CPU (net.netfilter.nf_conntrack_max); one takes about 320 bytes of kernel memory. 0
       * leaves the size alone.
       */
      maxPerCore: number;
      /** Least size of the table, whatever the number of CPUs. */
      min: number;
      /**
       * Seconds after which an idle established TCP connection is forgotten (nf_conntrack_tcp_timeout_established). 0
       * leaves it alone.
       */
      tcpEstablishedTimeoutSeconds: number;
      /**
       * Seconds for which a half-closed TCP connection is remembered (nf_conntrack_tcp_timeout_close_wait). 0 leaves it
       * alone; the kernel's own 60 s breaks clients that close their side early and read on.
       */
      tcpCloseWaitTimeoutSeconds: number;
      /**
       * Seconds for which a UDP flow without a reply is remembered (nf_conntrack_udp_timeout). Left out or 0 leaves it
       * alone.
       */
      udpTimeoutSeconds?: number;
      /**
       * Seconds for which a UDP flow with replies is remembered (nf_conntrack_udp_timeout_stream). Left out or 0 leaves
       * it alone.
       */
      udpStreamTimeoutSeconds?: number;
      /**
       * true accepts TCP packets outside the window (nf_conntrack_tcp_be_liberal) and leaves out the rule that drops
       * packets of state INVALID. For networks with asymmetric routes or offloads that lose the window.
       */
      tcpBeLiberal: boolean;
    };
    /** Settings of mode iptables; may only be set with it. */
    iptables?: {
      /**
       * Which of the kernel's two iptables the rules go to. Auto takes the one that already holds kubelet's and the CNI
       * plugin's chains. Legacy is the old ip_tables, Nft the translation to nf_tables. Rules in both at once are hard
       * to follow: set it only where Auto is wrong.
       */
      backend: 'Auto' | 'Legacy' | 'Nft';
    };
    /** Settings of mode nftables; may only be set with it. */
    nftables?: {
      /**
       * The table that holds all our rules, one each in the families ip and ip6. kube-proxy's name by default, so that
       * its runbooks (`nft list table ip kube-proxy`) work and its rules are taken over in place.
       */
      tableName: string;
    };
    /** Settings of mode ipvs; may only be set with it. */
    ipvs?: {
      /**
       * How a virtual server chooses among its endpoints, as in ipvsadm(8): rr round robin, lc least connections, sh by
       * source address, dh by destination, sed shortest expected delay, nq never queue, mh maglev; w… weighted, lbl… by
       * locality. The kernel needs its module ip_vs_NAME.
       */
      scheduler: 'rr' | 'wrr' | 'lc' | 'wlc' | 'lblc' | 'lblcr' | 'sh' | 'dh' | 'sed' | 'nq' | 'mh';
      /**
       * true makes the node answer ARP only for addresses of the interface asked (arp_ignore 1, arp_announce 2), so
       * that nobody learns of a cluster IP on kube-ipvs0 by ARP. MetalLB in layer 2 mode needs it beside kube-proxy
       * alone: here kube-ipvs0 holds no load balancer's address.
       */
      strictARP: boolean;
      /**
       * Virtual servers with an address in these networks are left alone, e.g. those of keepalived. Example:
       * [203.0.113.0/24].
       */
      excludeCIDRs?: string[];
      /** Seconds for which IPVS remembers an idle TCP connection. Left out or 0 keeps the kernel's (900). */
      tcpTimeoutSeconds?: number;
      /** Seconds for which IPVS remembers a TCP connection after a FIN. Left out or 0 keeps the kernel's (120). */
      tcpFinTimeoutSeconds?: number;
      /** Seconds for which IPVS remembers an idle UDP flow. Left out or 0 keeps the kernel's (300). */
      udpTimeoutSeconds?: number;
    };
    /** Settings of mode userspace; may only be set with it. */
    userspace?: {
      /**
       * Local ports on which the agent accepts connections, one per Service port, as low-high within 1024-65535. Left
       * out: the kernel picks free ones. Example: 40000-44999.
       */
      portRange?: string;
      /** Seconds after which an idle UDP client is forgotten and its local socket closed. */
      udpIdleTimeoutSeconds: number;
    };
    /**
     * How a node goes from one mode to another while it serves. A change whose check or probe fails is undone: the node
     * goes back to the mode before.
     */
    migration: {
      /**
       * PreserveConnections puts the new mode's rules in place and checks them before it removes the old ones, so that
       * no connection breaks. Replace removes the old mode first: for nodes that lack the memory or kernel features to
       * hold both.
       */
      strategy: 'PreserveConnections' | 'Replace';
      /**
       * When leaving ipvs, seconds for which its virtual servers stay for established connections, taking no new ones,
       * UDP flows included. Whatever is left then is cut. 0 removes them at once.
       */
      drainTimeoutSeconds: number;
    };
    /** What happens when somebody else changes or flushes our rules on a node. */
    drift: {
      /**
       * Enforce writes the rules again; Report only says so in NodeProxy and in the condition Drifted. Rules of others
       * are never touched.
       */
      policy: 'Enforce' | 'Report';
      /** Seconds between two checks of the kernel. */
      checkPeriodSeconds: number;
    };
    /**
     * How fast a change of this spec goes over the nodes, and what happens when one fails. spec.paused stops it at any
     * point. A node that has never had a configuration gets the last completed one at once, and the first one of all is
     * handed to such nodes without waiting.
     */
    rollout: {
      /**
       * How many governed nodes may be in change, not ready or out of reach at once, as a number or a percentage
       * (rounded up). A node that is out of reach (NotReady, or without a ready agent) no longer counts and gets its
       * revision last when it was not in reach for progressDeadlineSeconds without a break since at least as long.
       */
      maxUnavailable: number | string;
      /** Seconds for which a node must have been Ready with the new revision before it counts as done. */
      minReadySeconds: number;
      /** Seconds without any node becoming done after which the nodes that are still in change count as failed. */
      progressDeadlineSeconds: number;
      /**
       * What to do once maxFailures nodes have failed. Rollback takes the nodes back to the last completed revision
       * (where there is none it is as Pause), Pause stops where it is, Continue goes on. A revision that was rolled
       * back or stopped is tried again only after a change of spec.
       */
      onFailure: 'Rollback' | 'Pause' | 'Continue';
      /**
       * With how many failed nodes onFailure takes effect, as a number or a percentage of the governed nodes (rounded
       * up).
       */
      maxFailures: number | string;
      /**
       * Canary steps in order; after the last one the rest follows. Example: [{setNodes: 1}, {pause: {seconds: 600}},
       * {setNodes: 25%}, {pause: {}}].
       *
       * Items: Either setNodes or pause.
       */
      steps?: {
        /** Go on until this many governed nodes run the new revision, as a number or a percentage (rounded up). */
        setNodes?: number | string;
        /** Wait before the next step. */
        pause?: {
          /** How long to wait. Left out, the rollout waits until a person takes the pause out of rollout.steps. */
          seconds?: number;
        };
      }[];
      /**
       * After a change each node tries real connections to Services; a node whose probe fails counts as failed (reason
       * ProbeFailed).
       */
      probe: {
        /** false trusts the agent's own check of its rules. */
        enabled: boolean;
        /** Seconds between two tries. */
        periodSeconds: number;
        /** Tries in a row that must fail before the node counts as failed. */
        failureThreshold: number;
        /**
         * The Services to try, by TCP; a port that is served by UDP alone is passed over. None named means the API
         * server's own, default/kubernetes.
         *
         * Items: One port of one Service.
         */
        services?: {
          /** The Service's namespace. */
          namespace: string;
          /** The Service's name. */
          name: string;
          /** The Service's port (not its NodePort or target port). */
          port: number;
        }[];
      };
    };
    /**
     * How many earlier revisions of this spec are kept, as ControllerRevisions in the operator's namespace; a rollback
     * takes its configuration from there.
     */
    revisionHistoryLimit: number;
  };
  /** What the operator last saw; written by it alone. observedGeneration -1 means it has not looked yet. */
  status?: {
    /** The metadata.generation that this status speaks of; less than it while a change has not been looked at. */
    observedGeneration?: number;
    /** The revision (hash of the node configuration) that the current spec stands for. */
    observedHash?: string;
    /**
     * Ready: every governed node serves as asked (also with no node, reason NoNodes). Reconciling: nodes are still
     * changing. Stalled: a person must act. Degraded: some node serves with errors. Conflicted: another ProxyConfig of
     * equal priority won a node. Drifted: somebody else changed our rules on some node. DeprecatedMode: kube-proxy
     * gives up the mode asked for. `kubectl wait --for=condition=Ready pxc/NAME` works.
     *
     * Items: One observation, as in Kubernetes' API conventions.
     */
    conditions?: {
      /** Ready, Reconciling, Stalled, Degraded, Conflicted, Drifted or DeprecatedMode. */
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
    /** Counts of nodes. */
    nodes?: {
      /** Nodes that the selector matches. */
      matched?: number;
      /** Matched nodes that this ProxyConfig governs; fewer where one of higher priority matches too. */
      effective?: number;
      /** Governed nodes that run the current revision. */
      updated?: number;
      /** Governed nodes that serve what they were assigned without error. */
      ready?: number;
      /** Governed nodes that are not ready. */
      unavailable?: number;
      /** Governed nodes on which somebody else changed our rules. */
      drifted?: number;
      /** Governed nodes that refused or could not apply the current revision. */
      failed?: number;
      /** Governed nodes that are NotReady or have no ready agent, so that their status is old. */
      stale?: number;
    };
    /** Governed nodes by the mode that they run now, e.g. {iptables 3, nftables 1} in the middle of a change. */
    modes?: {
      [k: string]: number;
    };
    /** Where the rollout of the current spec stands. */
    rollout?: {
      /** The revision being rolled out. */
      revision?: string;
      /** The last completed revision, to which a rollback goes and which new nodes get. */
      previousRevision?: string;
      /**
       * Idle: no node. Progressing: nodes are being changed. Paused: by spec.paused or a step. RollingBack, RolledBack:
       * nodes go, or went, back to previousRevision. Failed: stopped. Complete: all nodes run revision.
       */
      state?: 'Idle' | 'Progressing' | 'Paused' | 'RollingBack' | 'RolledBack' | 'Complete' | 'Failed';
      /** The current step of rollout.steps, e.g. 2/4; absent once all are taken. */
      step?: string;
      /** When the current step began; a pause counts from here. */
      stepStartedAt?: string;
      /** When this rollout began. */
      startedAt?: string;
      /** When it ended. */
      completedAt?: string;
      /** When a node last became done. */
      lastProgressAt?: string;
    };
    /**
     * The first ten nodes that failed and why; the rest is in their NodeProxies.
     *
     * Items: One node's failure.
     */
    failures?: {
      /** The node, and its NodeProxy, by name. */
      node: string;
      /** Why, in one CamelCase word, e.g. ModeNotSupported. */
      reason: string;
      /** Why, in a sentence with the remedy. */
      message?: string;
      /** Since when. */
      since?: string;
    }[];
  };
}
