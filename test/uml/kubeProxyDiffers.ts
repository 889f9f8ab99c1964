/**
 * Where the real kube-proxy in ipvs mode (1.37.2) differs from this project in the same mode, by `scenario: row`, with
 * the decision that is the reason.
 */
import { addresses } from '../support/network.ts';
import { kept, type Source, sources } from '../scenarios/scenario.ts';
import type { Difference, Differences } from './differences.ts';

const unmasqueraded =
  'it does not masquerade what the node itself sends to a node port of policy Local; this project does, as in iptables mode';
const noFallback =
  'without a local endpoint it uses those of other nodes, against the policy; this project drops, as in iptables mode';

const fallsBackFor = (from: 'client' | 'otherNode'): Difference => ({
  expect: { by: 'remotePod', seenFrom: addresses[from] },
  because: noFallback,
});

const leavesTheNode: Differences = Object.fromEntries(
  (['pod here', 'pod elsewhere', 'this node', 'outside client'] satisfies readonly Source[]).map((source) => [
    `a range of cluster IPs: an address of no Service, from ${source}`,
    {
      expect: kept('otherNode')(sources[source]),
      because: 'it has no rule about addresses that no Service has; this project drops (docs/adr/0021)',
    },
  ]),
);

export const kubeProxyDiffers: Differences = {
  ...leavesTheNode,
  'external traffic policy Local: the node itself reaches all endpoints': {
    expect: { by: 'remotePod', seenFrom: addresses.node },
    because: unmasqueraded,
  },
  'terminating endpoints from everywhere: the node itself goes to the ready one': {
    expect: { by: 'podA', seenFrom: addresses.node },
    because: unmasqueraded,
  },
  'external traffic policy Local: dropped without a local endpoint': fallsBackFor('client'),
  'pods known by the cluster CIDR: another node does not': fallsBackFor('otherNode'),
  'internal traffic policy Local: dropped without one': {
    expect: 'REFUSED',
    because: 'an empty virtual server refuses; this project drops, as in iptables mode, so that a client tries again',
  },
};
