import type { ProxyContest } from './proxies.ts';

/** iptables mode through the legacy variant, which copies the whole table at every change. */
export const iptablesLegacy: ProxyContest = {
  name: 'iptables-legacy',
  variant: 'legacy',
  // The periodic looks at the kernel of both are put off: what a change costs is measured, and they belong to none.
  config: { mode: 'iptables', iptables: { backend: 'Legacy' }, drift: { policy: 'Enforce', checkPeriodSeconds: 3600 } },
  kubeProxyFlags: ['--proxy-mode=iptables', '--iptables-sync-period=1h'],
};
