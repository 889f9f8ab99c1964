/** What a proxy has written into the kernel of its node, as the kernel's own tool lists it. */
import type { BenchNode } from './node.ts';
import type { ProxyContest } from './proxies.ts';

/** All rules that Services may be in. */
export function listRules({ config, variant }: ProxyContest, node: BenchNode): Promise<string> {
  return node.run(
    config.mode === 'nftables' ? ['nft', 'list', 'ruleset'] : [`/usr/sbin/iptables-${variant}-save`, '-t', 'nat'],
  );
}

/** The number of endpoints that the rules lead to. */
export function endpointsIn(rules: string, { config }: ProxyContest): number {
  if (config.mode !== 'nftables') return rules.split('-j DNAT').length - 1;
  // An endpoint is in a rule of its own, or one of several in a map; either way once is enough.
  return new Set(rules.match(endpoint)).size;
}

/** Of objects.ts, as `dnat to` and as a map word it. */
const endpoint = /\b10\.24[0-3]\.\d{1,3}\.\d{1,3}(?= ?[.:] ?8080\b)/g;
