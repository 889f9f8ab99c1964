import type { ProxyContest } from './compare.ts';

/** iptables mode through the legacy variant, which copies the whole table at every change. */
export const iptablesLegacy: ProxyContest = {
  name: 'iptables-legacy',
  variant: 'legacy',
  config: { mode: 'iptables', iptables: { backend: 'Legacy' } },
  kubeProxyFlags: ['--proxy-mode=iptables'],
};
