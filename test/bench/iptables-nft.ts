import type { ProxyContest } from './proxies.ts';

/** iptables mode through the nft variant, the usual one. */
export const iptablesNft: ProxyContest = {
  name: 'iptables-nft',
  variant: 'nft',
  // The periodic looks at the kernel of both are put off: what a change costs is measured, and they belong to none.
  config: { mode: 'iptables', iptables: { backend: 'Nft' }, drift: { policy: 'Enforce', checkPeriodSeconds: 3600 } },
  kubeProxyFlags: ['--proxy-mode=iptables', '--iptables-sync-period=1h'],
};
