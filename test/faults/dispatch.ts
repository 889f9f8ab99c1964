/**
 * Which Services the rules of iptables-save serve: followed from chain to chain, as a packet would.
 */

/** The cluster IPs from which the chains of nat lead to an endpoint. */
export function servedAddresses(rules: string): ReadonlySet<string> {
  const chains = new Map<string, string[]>();
  const nat = rules.slice(rules.indexOf('*nat'));
  for (const [, chain = '', rule = ''] of nat.slice(0, nat.indexOf('COMMIT')).matchAll(/^-A (\S+) (.*)$/gm))
    chains.set(chain, [...(chains.get(chain) ?? []), rule]);
  const leadsToEndpoint = (chain: string): boolean =>
    (chains.get(chain) ?? []).some(
      (rule) => rule.includes('-j DNAT') || leadsToEndpoint(/-j (KUBE-SEP-\S+)/.exec(rule)?.[1] ?? ''),
    );
  const served = (chain: string): readonly string[] =>
    (chains.get(chain) ?? []).flatMap((rule) => {
      const target = /-j (\S+)$/.exec(rule)?.[1] ?? '';
      if (target.startsWith('KUBE-SB-')) return served(target);
      const [, address] = /^-d (\S+)\/32 /.exec(rule) ?? [];
      return address !== undefined && leadsToEndpoint(target) ? [address] : [];
    });
  return new Set(
    (chains.get('PREROUTING') ?? []).some((rule) => rule.endsWith('-j KUBE-SERVICES')) ? served('KUBE-SERVICES') : [],
  );
}
