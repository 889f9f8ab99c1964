/**
 * @module The terms of the packet table: who asks whom, and who must answer, seen from where.
 */
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Protocol } from '../../src/model/protocol.ts';
import type { Item } from './items.ts';
import type { Addresses, HostName, PodName } from '../support/network.ts';
import { addresses, gateways } from '../support/network.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';

export interface PacketRow {
  readonly name: string;
  /** The scenario's without it. */
  readonly item?: Item;
  readonly from: HostName;
  readonly to: Addresses;
  /** 80 without it. */
  readonly port?: number;
  /** TCP and UDP without it. */
  readonly protocol?: Protocol;
  /** Where every second question goes, of a row of many. */
  readonly andTo?: { readonly address: Addresses; readonly port: number };
  readonly expect: Expectation | ExpectationByFamily;
}

/** Who answers: a pod by its name, or by the second port that it listens on. */
export type Answerer = PodName | 'node' | 'otherNode' | 'podB:8081' | 'podC:8081';

export type Expectation =
  | 'REFUSED'
  /**
   * No answer, and no refusal: a rule drops the packet, or it leaves the node unchanged for an address that nobody has.
   */
  | 'DROPPED'
  /** Every one of these is seen among the answers to many questions, and nothing else is. */
  | { readonly spreadOver: readonly Sighting[] }
  /** One of these is the answer to all of many questions. */
  | { readonly alwaysOneOf: readonly Sighting[] }
  | Sighting;

export interface Sighting {
  readonly by: Answerer;
  readonly seenFrom: Addresses;
}

export type ExpectationByFamily = { readonly [family in IPFamily]: Expectation };

export interface Scenario {
  readonly name: string;
  readonly item: Item;
  readonly objects: readonly ServiceManifest[];
  readonly config?: Partial<NodeConfig>;
  /** Where cluster IPs come from; not known without it. */
  readonly serviceCIDRs?: readonly string[];
  readonly rows: readonly PacketRow[];
}

export function expectationIn({ expect }: Pick<PacketRow, 'expect'>, family: IPFamily): Expectation {
  return typeof expect === 'object' && 'ipv4' in expect ? expect[family] : expect;
}

/** The five kinds of places that packets come from, each with the host that usually stands for it. */
export const sources = {
  'pod here': 'podB',
  'pod elsewhere': 'remotePod',
  'this node': 'node',
  'another node': 'otherNode',
  'outside client': 'client',
} as const;
export type Source = keyof typeof sources;

const sourceOfHost: Readonly<Record<HostName, Source>> = {
  podA: 'pod here',
  podB: 'pod here',
  podC: 'pod here',
  remotePod: 'pod elsewhere',
  node: 'this node',
  otherNode: 'another node',
  client: 'outside client',
};

export function sourceOf({ from }: Pick<PacketRow, 'from'>): Source {
  return sourceOfHost[from];
}

/** What is expected, from the point of view of whoever asks. */
export type Outcome = (from: HostName) => Expectation;
type OutcomeByFamily = (from: HostName) => ExpectationByFamily;

/** One who answers, or several of whom each does, or of whom one always does. */
type Answerers =
  | Answerer
  | { readonly spreadOver: readonly Answerer[] }
  | { readonly alwaysOneOf: readonly Answerer[] };

export const spread = (...spreadOver: readonly Answerer[]): Answerers => ({ spreadOver });
export const sticky = (...alwaysOneOf: readonly Answerer[]): Answerers => ({ alwaysOneOf });

/** The endpoint sees who asked; but a pod that asks itself sees the node, for its answer must come back through it. */
export const kept =
  (answerers: Answerers): Outcome =>
  (from) =>
    seen(answerers, (by) => (by === from && by !== 'node' && by !== 'otherNode' ? gateways[by] : addresses[from]));
/** The endpoint sees the node. */
export const masqueraded =
  (answerers: Answerers): Outcome =>
  () =>
    seen(answerers, (by) => gateways[hostOf(by)]);
export const refused: Outcome = () => 'REFUSED';
export const dropped: Outcome = () => 'DROPPED';

function seen(answerers: Answerers, sourceFor: (by: Answerer) => Addresses): Expectation {
  const sighting = (by: Answerer): Sighting => ({ by, seenFrom: sourceFor(by) });
  if (typeof answerers === 'string') return sighting(answerers);
  return 'spreadOver' in answerers
    ? { spreadOver: answerers.spreadOver.map(sighting) }
    : { alwaysOneOf: answerers.alwaysOneOf.map(sighting) };
}

function hostOf(by: Answerer): PodName {
  const [host] = by.split(':');
  return host as PodName;
}

/** A row for each source that has an outcome. */
export function fromEach(
  row: Omit<PacketRow, 'from' | 'expect'>,
  outcomes: { readonly [source in Source]?: Outcome | OutcomeByFamily },
): readonly PacketRow[] {
  return Object.entries(outcomes).map(([source, outcome]) => rowFrom(source as Source, row, outcome));
}

function rowFrom(
  source: Source,
  row: Omit<PacketRow, 'from' | 'expect'>,
  outcome: Outcome | OutcomeByFamily,
): PacketRow {
  return { ...row, name: `${row.name}, from ${source}`, from: sources[source], expect: outcome(sources[source]) };
}

export function everywhere(outcome: Outcome): { readonly [source in Source]: Outcome } {
  return {
    'pod here': outcome,
    'pod elsewhere': outcome,
    'this node': outcome,
    'another node': outcome,
    'outside client': outcome,
  };
}

/** Pods are recognized: all others are masqueraded on their way to a cluster IP. */
export function podsKept(by: Answerers): { readonly [source in Source]: Outcome } {
  return { ...everywhere(masqueraded(by)), 'pod here': kept(by), 'pod elsewhere': kept(by) };
}

/** What holds in one family, and for every source in the other. */
export function onlyIn(
  family: IPFamily,
  outcomes: { readonly [source in Source]: Outcome },
  otherwise: Outcome,
): { readonly [source in Source]: OutcomeByFamily } {
  const inEach =
    (outcome: Outcome): OutcomeByFamily =>
    (from) => ({ ipv4: otherwise(from), ipv6: otherwise(from), [family]: outcome(from) });
  return Object.fromEntries(Object.entries(outcomes).map(([source, outcome]) => [source, inEach(outcome)])) as {
    readonly [source in Source]: OutcomeByFamily;
  };
}
