/**
 * Which endpoint a client stays with, and for how long.
 */
import { addresses } from '../support/network.ts';
import { nodePort, single } from './manifests.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import type { Scenario } from './scenario.ts';
import { fromEach, masqueraded, podsKept, spread, sticky } from './scenario.ts';

const alwaysOne = masqueraded(sticky('podA', 'podC', 'remotePod'));

export const affinityTable: readonly Scenario[] = [
  {
    name: 'session affinity from everywhere',
    item: 'session affinity',
    objects: [
      single('loyal', 137, { spec: { sessionAffinity: 'ClientIP' }, pods: ['podA', 'podC', 'remotePod'] }),
      single('loyal-all-ways', 143, {
        ports: nodePort(30_143),
        spec: { type: 'NodePort', sessionAffinity: 'ClientIP' },
        pods: ['podA', 'podC', 'remotePod'],
      }),
    ],
    rows: [
      ...fromEach(
        { name: 'one pod for each client', to: clusterIP(137), protocol: 'TCP' },
        podsKept(sticky('podA', 'podC', 'remotePod')),
      ),
      ...fromEach(
        {
          name: 'the same pod by cluster IP and NodePort',
          to: clusterIP(143),
          andTo: { address: addresses.node, port: 30_143 },
        },
        // Pods would be seen from an address for each way.
        { 'this node': alwaysOne, 'another node': alwaysOne, 'outside client': alwaysOne },
      ),
    ],
  },
  {
    name: 'a policy that overrides affinity time-outs',
    item: 'affinity time-out policy',
    objects: [
      single('overridden', 138, { spec: { sessionAffinity: 'ClientIP' }, pods: ['podA', 'podC', 'remotePod'] }),
      single('disloyal', 139, { pods: ['podA', 'podC'] }),
    ],
    config: { sessionAffinity: { timeoutPolicy: 'Override', timeoutSeconds: 60 } },
    rows: [
      ...fromEach(
        { name: 'gives none to a Service without affinity', to: clusterIP(139), protocol: 'TCP' },
        podsKept(spread('podA', 'podC')),
      ),
      {
        name: 'takes none from a Service with it',
        from: 'client',
        to: clusterIP(138),
        protocol: 'TCP',
        expect: masqueraded(sticky('podA', 'podC', 'remotePod'))('client'),
      },
    ],
  },
  {
    name: 'policies of affinity time-outs: Cap',
    item: 'affinity time-out policy',
    objects: [
      single('capped', 140, {
        spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } } },
        pods: ['podA', 'podC'],
      }),
    ],
    config: { sessionAffinity: { timeoutPolicy: 'Cap', timeoutSeconds: 60 } },
    rows: fromEach(
      { name: 'stays with one pod meanwhile', to: clusterIP(140), protocol: 'TCP' },
      podsKept(sticky('podA', 'podC')),
    ),
  },
  {
    name: 'policies of affinity time-outs: ReplaceDefault',
    item: 'affinity time-out policy',
    objects: [
      single('defaulted', 141, { spec: { sessionAffinity: 'ClientIP' }, pods: ['podA', 'podC'] }),
      single('explicit', 142, {
        spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } } },
        pods: ['podA'],
      }),
    ],
    config: { sessionAffinity: { timeoutPolicy: 'ReplaceDefault', timeoutSeconds: 60 } },
    rows: [
      {
        name: 'a time-out of its own stays',
        from: 'client',
        to: clusterIP(142),
        expect: masqueraded('podA')('client'),
      },
    ],
  },
];
