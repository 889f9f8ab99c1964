import type { IPFamily } from '../../src/model/ipFamily.ts';

/** Rules of another program, in save format: they must outlive everything that an installation does. */
export const foreignRules: Readonly<Record<IPFamily, string>> = {
  ipv4: rulesFor('198.51.100.0/24', '203.0.113.7/32'),
  ipv6: rulesFor('2001:db8:1::/64', '2001:db8:2::7/128'),
};

function rulesFor(masqueraded: string, dropped: string): string {
  return `*nat
:OTHERS - [0:0]
-A POSTROUTING -j OTHERS
-A OTHERS -s ${masqueraded} -m comment --comment "of another" -j MASQUERADE
COMMIT
*filter
-A FORWARD -s ${dropped} -m comment --comment "KUBE-SVC-LOOKS-LIKE-OURS" -j DROP
COMMIT
`;
}
