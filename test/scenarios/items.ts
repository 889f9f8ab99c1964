/**
 * What the packet table covers: every item of a Service's meaning from every source of packets, or the reason why there
 * is no such packet.
 */
import type { Scenario, Source } from './scenario.ts';
import { sourceOf, sources } from './scenario.ts';

export const items = [
  'cluster IP',
  'NodePort',
  'load balancer address',
  'ipMode',
  'source ranges',
  'external IPs',
  'UDP alone',
  'SCTP',
  'several ports',
  'one IP family',
  'endpoint on the node',
  'internal traffic policy',
  'external traffic policy',
  'no endpoints',
  'terminating endpoints',
  'node hints',
  'zone hints',
  'publishNotReadyAddresses',
  'endpoint in two slices',
  'target ports by slice',
  'change of type',
  'headless and ExternalName',
  'service-proxy-name',
  'unused cluster IP',
  'hairpin',
  'session affinity',
  'affinity time-out policy',
  'masquerade bit',
  'masquerade all',
  'detect ClusterCIDR',
  'detect NodeCIDR',
  'detect BridgeInterface',
  'detect InterfaceNamePrefix',
  'no detector',
  'nodePorts.addresses',
  'nodePorts.addresses primary',
  'nodePorts.addresses mixed',
  'localhost NodePort',
  'canonical addresses',
] as const;
export type Item = (typeof items)[number];

const notAnEndpoint = 'only an endpoint can reach itself, and this is none';
const staysAtHome = 'a packet for a loopback address does not leave the host it is sent on';

/** Cells without a row, and why there is none. */
export const senseless: { readonly [item in Item]?: { readonly [source in Source]?: string } } = {
  hairpin: { 'another node': notAnEndpoint, 'outside client': notAnEndpoint },
  'localhost NodePort': {
    'pod here': staysAtHome,
    'pod elsewhere': staysAtHome,
    'another node': staysAtHome,
    'outside client': staysAtHome,
  },
};

export interface Matrix {
  /** A line for each item. */
  readonly lines: readonly string[];
  readonly empty: readonly string[];
}

export function matrixOf(scenarios: readonly Scenario[]): Matrix {
  const counts = new Map<string, number>();
  for (const { item, rows } of scenarios) {
    for (const row of rows) {
      const cell = `${row.item ?? item} / ${sourceOf(row)}`;
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
    }
  }
  const columns = Object.keys(sources) as Source[];
  const cell = (item: Item, source: Source): string =>
    String(counts.get(`${item} / ${source}`) ?? (senseless[item]?.[source] === undefined ? '!' : '-'));
  return {
    lines: [
      line('rows of', columns),
      ...items.map((item) =>
        line(
          item,
          columns.map((source) => cell(item, source)),
        ),
      ),
    ],
    empty: items.flatMap((item) =>
      columns.filter((source) => cell(item, source) === '!').map((source) => `${item} / ${source}`),
    ),
  };
}

function line(first: string, rest: readonly string[]): string {
  return first.padEnd(30) + rest.map((text) => text.padStart(16)).join('');
}
