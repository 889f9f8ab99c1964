// Generated from crds/ by `npm run generate`; do not edit.

export interface NodeProxy {
  spec: {
    configRef: {
      name: string;
      uid: string;
      generation: number;
    };
    revision: string;
    config?: {
      [k: string]: unknown;
    };
  };
  status?: {
    observedGeneration?: number;
    state?: 'Pending' | 'Applying' | 'Verifying' | 'Ready' | 'Drifted' | 'Degraded' | 'RolledBack' | 'Paused';
    mode?: string;
    revision?: string;
    previousRevision?: string;
    agentVersion?: string;
    kernel?: string;
    lastChangeTime?: string;
    dataplane?: {
      services?: number;
      endpoints?: number;
      rulesHash?: string;
      drifts?: number;
      lastDriftTime?: string;
      quarantinedCount?: number;
      quarantined?: {
        namespace: string;
        name: string;
        reason: string;
        message?: string;
      }[];
      lastError?: string;
    };
    conditions?: {
      type: string;
      status: 'True' | 'False' | 'Unknown';
      reason: string;
      message: string;
      observedGeneration?: number;
      lastTransitionTime: string;
    }[];
  };
  metadata: import('./objectMeta.ts').ObjectMeta;
  apiVersion: string;
  kind: string;
}
