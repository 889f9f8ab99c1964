/**
 * Which endpoints a Service port uses on one node (kube-proxy's CategorizeEndpoints).
 */
import type { EndpointRecord, EndpointSliceRecord } from './endpointSlice.ts';
import type { IPFamily } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';
import type { ServicePortRecord } from './service.ts';
import type { Endpoint } from './servicePort.ts';

/** An endpoint with the port that its slice gives to one Service port. */
export interface Candidate extends EndpointRecord {
  readonly port: number;
}

/** All in the order of the candidates. */
export interface EndpointSets {
  /** For traffic with policy Cluster. */
  readonly cluster: readonly Endpoint[];
  /** For traffic with policy Local. */
  readonly local: readonly Endpoint[];
  /** All that answer, also those that get no new traffic; the same object as `cluster` where these are all. */
  readonly serving: readonly Endpoint[];
}

type Place = Pick<NodeRecord, 'name' | 'zone'>;

/**
 * All endpoints of a Service port, whatever their conditions, sorted by address and port, each once. Slices are matched
 * by port name, protocol and family, so one Service port may have several target ports. Where two slices have the same
 * endpoint, the one that is worth more to a client counts, else the one in the first slice by name.
 */
export function candidatesOf(
  port: ServicePortRecord,
  slices: Iterable<EndpointSliceRecord>,
  family: IPFamily,
): readonly Candidate[] {
  const candidates = new Map<string, Candidate>();
  // Slices come in the order in which they were observed; the result must not depend on it.
  for (const slice of [...slices].sort(byName)) {
    const target = slice.ports.find((each) => each.name === port.name && each.protocol === port.protocol);
    if (target === undefined || slice.family !== family) continue;
    for (const endpoint of slice.endpoints) {
      const key = `${endpoint.address} ${target.port}`;
      const known = candidates.get(key);
      // While it moves between slices, an endpoint stands in two of them for a moment; one of them may be stale.
      if (known === undefined || fitness(endpoint) > fitness(known))
        candidates.set(key, { ...endpoint, port: target.port });
    }
  }
  return [...candidates.values()].sort(byAddress);
}

/**
 * Which candidates traffic of each policy goes to, by the rules of kube-proxy's CategorizeEndpoints: ready ones, for
 * policy Cluster those that hints choose (KEP-2433, KEP-3015); where none is ready, those that terminate and still
 * serve (KEP-1669).
 */
export function categorizeEndpoints(candidates: readonly Candidate[], place: Place): EndpointSets {
  const isLocal = (endpoint: Candidate): boolean => endpoint.nodeName === place.name;
  const locals = candidates.filter(isLocal);
  const ready = candidates.filter((endpoint) => endpoint.ready);
  const toEndpoint = (endpoint: Candidate): Endpoint => ({
    address: endpoint.address,
    port: endpoint.port,
    isLocal: isLocal(endpoint),
  });
  const cluster = ready.length > 0 ? withinTopology(ready, place) : candidates.filter(isTerminatingFallback);
  const localReady = locals.filter((endpoint) => endpoint.ready);
  const local = localReady.length > 0 ? localReady : locals.filter(isTerminatingFallback);
  const serving = candidates.filter((endpoint) => endpoint.ready || endpoint.serving);
  const clusterEndpoints = cluster.map(toEndpoint);
  return {
    cluster: clusterEndpoints,
    local: local.map(toEndpoint),
    // Whoever is in cluster answers, so as many are the same.
    serving: serving.length === cluster.length ? clusterEndpoints : serving.map(toEndpoint),
  };
}

/**
 * The number of distinct addresses of ready endpoints of a family on a node, whatever their ports; those that terminate
 * do not count.
 */
export function countReadyLocalEndpoints(
  slices: Iterable<EndpointSliceRecord>,
  nodeName: string,
  family: IPFamily,
): number {
  const addresses = new Set<string>();
  for (const slice of slices) {
    if (slice.family !== family) continue;
    for (const endpoint of slice.endpoints)
      if (endpoint.ready && endpoint.nodeName === nodeName) addresses.add(endpoint.address);
  }
  return addresses.size;
}

/** Endpoints that are going away but still answer: better than none (KEP-1669). */
function isTerminatingFallback(endpoint: EndpointRecord): boolean {
  return endpoint.serving && endpoint.terminating;
}

/**
 * Hints are followed only when every ready endpoint has them and one names this place; node hints come before zone
 * hints (trafficDistribution PreferSameNode and PreferSameZone, KEP-3015).
 */
function withinTopology(ready: readonly Candidate[], place: Place): readonly Candidate[] {
  return (
    hinted(ready, place.name, (endpoint) => endpoint.nodeHints) ??
    hinted(ready, place.zone, (endpoint) => endpoint.zoneHints) ??
    ready
  );
}

function hinted(
  ready: readonly Candidate[],
  here: string,
  hints: (endpoint: Candidate) => readonly string[],
): readonly Candidate[] | undefined {
  if (here === '' || ready.some((endpoint) => hints(endpoint).length === 0)) return undefined;
  const chosen = ready.filter((endpoint) => hints(endpoint).includes(here));
  return chosen.length > 0 ? chosen : undefined;
}

/** How much an endpoint is worth to a client: ready, still answering while it goes away, or nothing. */
function fitness(endpoint: EndpointRecord): number {
  if (endpoint.ready) return 2;
  return isTerminatingFallback(endpoint) ? 1 : 0;
}

function byName(a: EndpointSliceRecord, b: EndpointSliceRecord): number {
  return a.name < b.name ? -1 : 1;
}

function byAddress(a: Candidate, b: Candidate): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}
