import type { ProxyContest } from './proxies.ts';

/** nftables mode. `variant` is that of the iptables which stands beside it and is not used. */
export const nftables: ProxyContest = {
  name: 'nftables',
  variant: 'nft',
  config: { mode: 'nftables' },
  // kube-proxy 1.37 syncs by itself once in an hour in this mode, and has no flag for it.
  kubeProxyFlags: ['--proxy-mode=nftables'],
};
