/**
 * Where ipvs must differ from the packet table, which is iptables', by `scenario: row`, each time with the reason. The
 * only such file.
 */
import { gateways } from '../support/network.ts';
import type { Expectation, PacketRow, Scenario } from '../scenarios/scenario.ts';
import { kept, masqueraded, spread } from '../scenarios/scenario.ts';

export interface Difference {
  /** Without it the row is not asked: its outcome is not one. */
  readonly expect?: PacketRow['expect'];
  readonly because: string;
}

export type Differences = Readonly<Record<string, Difference>>;

const refusedByGuard: Difference = {
  expect: 'REFUSED',
  because:
    'the address is on kube-ipvs0, so the packet is for the node itself, where the guard of its own ports rejects it',
};
const refusedWhileDraining: Difference = {
  expect: 'REFUSED',
  because: 'the address stays on kube-ipvs0 while connections to it drain, and the guard rejects new ones',
};
const askedByAnybody =
  'a node port of policy Local is one virtual server for everybody, and ip_vs does not ask who asks; kube-proxy does the same';
const localOnly = (expect: Expectation): Difference => ({ expect, because: askedByAnybody });
const hairpinElsewhere: Difference = {
  expect: 'DROPPED',
  because:
    "KUBE-LOOP-BACK holds this node's endpoints, as kube-proxy's does: a pod of another node asks through that node's proxy",
};

function fromPlaces(row: string, places: readonly string[], difference: Difference): Differences {
  return Object.fromEntries(places.map((place) => [`${row}, from ${place}`, difference]));
}

const everyPlace = ['pod here', 'pod elsewhere', 'this node', 'another node', 'outside client'];

export const ipvsDiffers: Differences = {
  'hairpin and masquerade: an unused port of a ClusterIP leads nowhere': refusedByGuard,
  'several ports: a number between them to neither': refusedByGuard,
  ...fromPlaces('a change of type: ExternalName: the cluster IP is gone', everyPlace, refusedWhileDraining),
  'external policy Local from everywhere: NodePort, from pod here': localOnly(kept(spread('podA'))('podB')),
  'external policy Local from everywhere: NodePort, from pod elsewhere': localOnly(kept(spread('podA'))('remotePod')),
  'external policy Local from everywhere: NodePort, from this node': localOnly(masqueraded(spread('podA'))('node')),
  'terminating endpoints from everywhere: the node itself goes to the ready one': localOnly(
    masqueraded('podA')('node'),
  ),
  'a pod that asks itself: a pod of another node': hairpinElsewhere,
  'pods known by the cluster CIDR: cluster IP, from pod elsewhere': hairpinElsewhere,
  'session affinity from everywhere: one pod for each client, from pod elsewhere': {
    because: `the pod may be led to itself, and ${hairpinElsewhere.because}`,
  },
  ...fromPlaces(
    'session affinity from everywhere: the same pod by cluster IP and NodePort',
    ['this node', 'another node', 'outside client'],
    {
      because: 'each way is a virtual server, which remembers its clients for itself; kube-proxy does the same',
    },
  ),
  'pods not known at all: nobody is masqueraded to the cluster IP, from this node': {
    expect: { by: 'podA', seenFrom: gateways.podA },
    because:
      'the kernel takes the cluster IP, which is an address of the node, as the source of what the node sends to it: no pod could answer that',
  },
};

/** The scenarios with what is expected of somebody who differs. */
export function withDifferences(scenarios: readonly Scenario[], differences: Differences): readonly Scenario[] {
  return scenarios.map((scenario) =>
    Object.assign({}, scenario, {
      rows: scenario.rows.flatMap((row) => differing(row, differences[`${scenario.name}: ${row.name}`])),
    }),
  );
}

function differing(row: PacketRow, difference: Difference | undefined): readonly PacketRow[] {
  if (difference === undefined) return [row];
  return difference.expect === undefined ? [] : [{ ...row, expect: difference.expect }];
}
