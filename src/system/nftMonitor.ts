/**
 * Notices at once when somebody throws rules of ours away: by what `nft monitor` tells of the tables that nft and iptables-nft share.
 *
 * Our own changes delete rules too, but a flushed table loses its canary and a flushed ruleset its tables, which ours hardly ever do. An
 * event can be lost, so this is beside the periodic check, not in its place.
 */
import { keepRunning, type LongRunning } from './longRunning.ts';

export interface NftMonitorOptions {
  readonly onLoss: (family: 'ipv4' | 'ipv6') => void;
  readonly onEnd: (why: string) => void;
}

export function watchForLosses({ onLoss, onEnd }: NftMonitorOptions): LongRunning {
  const onLine = (line: string): void => {
    const family = lossIn(line);
    if (family !== undefined) onLoss(family);
  };
  // The signal ends it with this process, however that ends; else it would wait for the next event.
  return keepRunning({ program: 'setpriv', args: ['--pdeathsig', 'KILL', 'nft', 'monitor', 'destroy'], onLine, onEnd });
}

const losses = /^delete (?:(?:rule|chain) (ip6?) \S+ KUBE-PROXY-CANARY\b|table (ip6?) (?:nat|filter|mangle|kube-proxy|proxyconfig-anchor)(?![\w-]))/;

/** The family of which a line of `nft monitor` says that rules of ours may be lost. */
export function lossIn(line: string): 'ipv4' | 'ipv6' | undefined {
  const [, ofChain, ofTable] = losses.exec(line) ?? [];
  const family = ofChain ?? ofTable;
  if (family === undefined) return undefined;
  return family === 'ip' ? 'ipv4' : 'ipv6';
}
