import type { ProxyContest } from './compare.ts';

/** iptables mode through the nft variant, the usual one. */
export const iptablesNft: ProxyContest = {
  name: 'iptables-nft',
  variant: 'nft',
  config: { mode: 'iptables', iptables: { backend: 'Nft' } },
  kubeProxyFlags: ['--proxy-mode=iptables'],
};
