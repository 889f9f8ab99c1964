/**
 * Which of the kernel's two iptables a node uses. Rules in both at once are applied one after the other, so the choice must be that
 * of kubelet and the CNI plugin.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';

export type Variant = 'nft' | 'legacy';
export type VariantChoice = NonNullable<NodeConfig['iptables']>['backend'];

export interface VariantSurvey {
  readonly hasKubeletMark: boolean;
  readonly rules: number;
}

/** As the wrapper in kube-proxy's image decides: kubelet's mark, then the greater number of rules, then nft. */
export function preferVariant(nft: VariantSurvey, legacy: VariantSurvey): Variant {
  if (nft.hasKubeletMark) return 'nft';
  return legacy.hasKubeletMark || legacy.rules > nft.rules ? 'legacy' : 'nft';
}
