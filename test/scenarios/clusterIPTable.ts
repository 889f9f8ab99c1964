/**
 * Packets to cluster IPs that nobody is to answer: to a port that the Service does not have, and to an address that no
 * Service has. What no rule stops goes on to the other node, and is answered there.
 */
import { routedClusterIPs, routedPort } from '../support/network.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import { single } from './manifests.ts';
import type { Outcome, Scenario, Source } from './scenario.ts';
import { dropped, everywhere, fromEach, kept, podsKept, refused } from './scenario.ts';

const serviceCIDRs = ['10.96.0.0/16', 'fd00:10:96::/112'];
const [foreign, unallocated] = [clusterIP(998), clusterIP(999)];
if (![foreign, unallocated].every(({ ipv4 }) => routedClusterIPs.some((routed) => routed.ipv4 === ipv4)))
  throw new Error('the node has no route for these cluster IPs');

/** But the one that the packets would go to. */
const fromOthers = (outcome: Outcome): { readonly [source in Source]?: Outcome } => ({
  'pod here': outcome,
  'pod elsewhere': outcome,
  'this node': outcome,
  'outside client': outcome,
});

export const clusterIPTable: readonly Scenario[] = [
  {
    name: 'a range of cluster IPs',
    item: 'unused cluster IP',
    objects: [
      single('checked', 990),
      single('checked-empty', 991, { pods: [] }),
      {
        name: 'checked-foreign',
        clusterIP: foreign,
        labels: { 'service.kubernetes.io/service-proxy-name': 'another' },
        pods: ['podA'],
      },
    ],
    serviceCIDRs,
    rows: [
      ...fromEach({ name: 'a port of the Service', to: clusterIP(990) }, podsKept('podA')),
      ...fromEach({ name: 'a port that it does not have', to: clusterIP(990), port: 81 }, everywhere(refused)),
      ...fromEach({ name: 'one of a Service without endpoints', to: clusterIP(991), port: 81 }, everywhere(refused)),
      ...fromEach({ name: 'an address of no Service', to: unallocated, port: routedPort }, fromOthers(dropped)),
      ...fromEach({ name: 'one of another proxy', to: foreign, port: routedPort }, fromOthers(kept('otherNode'))),
    ],
  },
  {
    name: 'no range of cluster IPs is known',
    item: 'unused cluster IP',
    objects: [single('unchecked', 992)],
    rows: fromEach(
      { name: 'an address of no Service is let be', to: unallocated, port: routedPort },
      fromOthers(kept('otherNode')),
    ),
  },
];
