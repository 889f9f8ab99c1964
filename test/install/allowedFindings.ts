/**
 * @module What linters find in the manifests and is meant so, with the reason: by workload, then by check. A finding that
 * is not here fails, and so does an entry that is no longer found.
 */

export interface Finding {
  readonly object: string;
  readonly check: string;
}
/** The checks that find something in an object. */
export type Findings = Readonly<Record<string, readonly string[]>>;
export type Reasons = Readonly<Record<string, Readonly<Record<string, string>>>>;

const noCpuLimit = 'a limit of CPU throttles what is to be done at once; requests are set';
const pullPolicy = 'a node must start its agent while the registry is out of reach; tags of releases do not move';
const ephemeralStorage = 'root file systems are read-only, and kubelet rotates the logs';

/** kube-score's, as each workload's annotation kube-score/ignore lists them. */
export const kubeScoreFindings: Reasons = {
  'DaemonSet/apps/v1/proxyconfig-system/proxyconfig-agent': {
    'container-ephemeral-storage-request-and-limit': ephemeralStorage,
    'container-image-pull-policy': pullPolicy,
    'container-resources': `${noCpuLimit}; tools for a large cluster take the memory that they need`,
    'container-security-context-privileged': 'the init container loads kernel modules; the agent is not privileged',
    'container-security-context-user-group-id': 'capabilities of netfilter are given to root alone',
    'pod-networkpolicy': 'policies do not apply to Pods in the network of their node',
  },
  'Deployment/apps/v1/proxyconfig-system/proxyconfig-operator': {
    'container-ephemeral-storage-request-and-limit': ephemeralStorage,
    'container-image-pull-policy': pullPolicy,
    'container-resources': noCpuLimit,
    'deployment-replicas': 'the component single-replica is for one',
    'deployment-strategy': 'as deployment-replicas: two at once would be two',
  },
};

const digest = 'the image is set by whoever installs; a release names it by digest';
const token = 'its work is with the API server';

/** checkov's, which knows no annotation that an overlay keeps apart from the manifest's own. */
export const checkovFindings: Reasons = {
  'DaemonSet.proxyconfig-system.proxyconfig-agent': {
    CKV_K8S_11: noCpuLimit,
    CKV_K8S_13: 'tools for a large cluster take the memory that they need',
    CKV_K8S_15: pullPolicy,
    CKV_K8S_16: 'the init container loads kernel modules; the agent is not privileged',
    CKV_K8S_19: "it programs the node's own network",
    CKV_K8S_20: 'as CKV_K8S_16: the init container alone',
    CKV_K8S_23: 'capabilities of netfilter are given to root alone',
    CKV_K8S_25: 'NET_ADMIN is what programs rules',
    CKV_K8S_28: 'legacy iptables opens a raw socket',
    CKV_K8S_37: 'as CKV_K8S_25',
    CKV_K8S_38: token,
    CKV_K8S_40: 'as CKV_K8S_23',
    CKV_K8S_43: digest,
  },
  'Deployment.proxyconfig-system.proxyconfig-operator': {
    CKV_K8S_11: noCpuLimit,
    CKV_K8S_15: pullPolicy,
    CKV_K8S_38: token,
    CKV_K8S_43: digest,
  },
  'Pod.proxyconfig-system.proxyconfig-agent.app.kubernetes.io/component-agent.app.kubernetes.io/name-proxyconfig': {
    CKV2_K8S_6: 'policies do not apply to Pods in the network of their node',
  },
};

/** The same without the reasons. */
export function allowed(reasons: Reasons): Findings {
  return Object.fromEntries(Object.entries(reasons).map(([object, checks]) => [object, Object.keys(checks).sort()]));
}
