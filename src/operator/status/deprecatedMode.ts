/**
 * The modes that leave kube-proxy, and with them the way back to it. They go on working here, so nothing else that a
 * status says depends on it.
 */
import type { ConditionNow } from '../../api/conditions.ts';
import type { ProxyMode } from '../../api/nodeConfig.ts';

const why: { readonly [mode in ProxyMode]?: Pick<ConditionNow, 'reason' | 'message'> } = {
  // KEP-5495: the gate KubeProxyIPVS is off from 1.40 on, the code goes in 1.43. EKS: aws/containers-roadmap #2826.
  ipvs: {
    reason: 'KubeProxyDropsIPVS',
    message:
      'mode ipvs goes on working here; what ends is the way back to kube-proxy in this mode, which is off by default from Kubernetes 1.40 on and removed in 1.43 (in the add-on of EKS since 1.36); before an upgrade to these set spec.mode to nftables, or to iptables where agents do not have it',
  },
  userspace: {
    reason: 'KubeProxyDroppedUserspace',
    message:
      'kube-proxy has not had mode userspace since Kubernetes 1.26, so there is no way back to it in this mode; set spec.mode to iptables or nftables where this is not for debugging',
  },
};

/** `DeprecatedMode` for a mode that leaves kube-proxy; undefined for any other. */
export function deprecatedMode(mode: ProxyMode): ConditionNow | undefined {
  const reason = Object.entries(why).find(([each]) => each === mode)?.[1];
  return reason && { type: 'DeprecatedMode', status: 'True', ...reason };
}
