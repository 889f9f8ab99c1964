/**
 * Which of the kernel's two iptables a node uses. Rules in both at once are applied one after the other, so the choice
 * must be that of kubelet and the CNI plugin.
 */
export type Variant = 'nft' | 'legacy';

export interface VariantSurvey {
  readonly view: {
    readonly hasKubeletMark: boolean;
    /** Everybody's. */
    readonly rules: number;
  };
}

/**
 * As the wrapper in kube-proxy's image decides: kubelet's mark, then the greater number of rules, then the first, which
 * is nft.
 */
export function preferVariant<Survey extends VariantSurvey>(surveys: readonly Survey[]): Survey | undefined {
  const marked = surveys.find(({ view }) => view.hasKubeletMark);
  const most = Math.max(...surveys.map(({ view }) => view.rules));
  return marked ?? surveys.find(({ view }) => view.rules === most);
}
