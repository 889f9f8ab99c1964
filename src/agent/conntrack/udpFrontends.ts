/**
 * Which UDP frontends (addresses and ports of Services) a node serves and which endpoints may answer on each, so that
 * conntrack flows which lead to an endpoint that is gone can be recognized.
 *
 * A client that keeps its socket (a resolver does) goes on sending to where its first packet was led, for as long as
 * the kernel tracks the flow: also when that endpoint is gone. So the frontends of Services that lost all endpoints or
 * were deleted are remembered until their flows have been checked; kube-proxy forgets those.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { UdpFlow } from '../../netfilter/conntrack/tools/conntrack.ts';

/** `ADDRESS PORT`, or `* PORT` for a NodePort. Addresses are in canonical form. */
type Frontend = string;

/** One UDP port of a Service, in one IP family. */
export interface UdpService {
  readonly frontends: ReadonlySet<Frontend>;
  /** `ADDRESS PORT` of all endpoints that answer, also of those that get no new flows (draining, another zone's). */
  readonly endpoints: ReadonlySet<string>;
}

const notServed: UdpService = { frontends: new Set(), endpoints: new Set() };

export class UdpFrontends {
  readonly #services = new Map<ServiceKey, readonly UdpService[]>();
  readonly #current = new Map<Frontend, UdpService>();
  #toCheck = new Set<Frontend>();

  /**
   * Replaces what a Service serves; an empty `after` means that it is gone. Its frontends that changed are to check.
   */
  set(key: ServiceKey, after: readonly UdpService[]): void {
    const before = this.#services.get(key) ?? [];
    for (const service of before) this.#forget(service);
    for (const service of after) for (const frontend of service.frontends) this.#current.set(frontend, service);
    if (after.length === 0) this.#services.delete(key);
    else this.#services.set(key, after);
    for (const service of before) this.#checkRemoved(service);
    for (const service of after) this.#checkAdded(service, before);
  }

  /** The keys of Services that serve, so that those which are gone can be found. */
  keys(): Iterable<ServiceKey> {
    return this.#services.keys();
  }

  has(key: ServiceKey): boolean {
    return this.#services.has(key);
  }

  /** The check that is due, which is then forgotten here; undefined when no flow can be stale. */
  takeCheck(): StaleCheck | undefined {
    if (this.#toCheck.size === 0) return undefined;
    const frontends = this.#toCheck;
    this.#toCheck = new Set();
    return { frontends, isStale: (flow, isNodeAddress) => this.#isStale(flow, frontends, isNodeAddress) };
  }

  /** Makes a check that failed due again. */
  requeue({ frontends }: StaleCheck): void {
    for (const frontend of frontends) this.#toCheck.add(frontend);
  }

  #isStale(
    { destination, port, replySource, replyPort }: UdpFlow,
    toCheck: ReadonlySet<Frontend>,
    isNodeAddress: (address: string) => boolean,
  ): boolean {
    const answers = (frontend: Frontend): boolean =>
      (this.#current.get(frontend) ?? notServed).endpoints.has(`${replySource} ${replyPort}`);
    const exact = `${destination} ${port}`;
    if (this.#current.has(exact) || toCheck.has(exact)) return toCheck.has(exact) && !answers(exact);
    // The port of a NodePort may be any program's port elsewhere: only a flow that comes to this node, or was
    // translated, is through the NodePort.
    const nodePort = `* ${port}`;
    const isThroughNodePort = replySource !== destination || isNodeAddress(destination);
    return isThroughNodePort && toCheck.has(nodePort) && !answers(nodePort);
  }

  #forget(service: UdpService): void {
    for (const frontend of service.frontends)
      if (this.#current.get(frontend) === service) this.#current.delete(frontend);
  }

  /** A frontend that is no longer served, or not by all endpoints that served it. */
  #checkRemoved({ frontends, endpoints }: UdpService): void {
    for (const frontend of frontends) {
      const remaining = this.#current.get(frontend)?.endpoints;
      if (remaining === undefined || [...endpoints].some((endpoint) => !remaining.has(endpoint)))
        this.#toCheck.add(frontend);
    }
  }

  /** Before a frontend was served, flows to it were not translated, and the kernel would leave them so. */
  #checkAdded({ frontends }: UdpService, before: readonly UdpService[]): void {
    for (const frontend of frontends)
      if (!before.some((service) => service.frontends.has(frontend) && service.endpoints.size > 0))
        this.#toCheck.add(frontend);
  }
}

/** Finds stale flows through the frontends that changed since the last check. */
export interface StaleCheck {
  readonly frontends: ReadonlySet<Frontend>;
  /**
   * Whether a flow leads to an endpoint that no longer answers there; judged by what is served at the time of the call.
   */
  isStale(flow: UdpFlow, isNodeAddress: (address: string) => boolean): boolean;
}

/** The UDP ports among them. */
export function udpServicesOf(ports: readonly ServicePort[]): readonly UdpService[] {
  return ports.filter(({ protocol }) => protocol === 'UDP').map(udpServiceOf);
}

function udpServiceOf(port: ServicePort): UdpService {
  const frontends = [port.clusterIP, ...port.externalIPs, ...port.loadBalancerIPs].map(
    (address) => `${address} ${port.port}`,
  );
  return {
    frontends: new Set(port.nodePort === 0 ? frontends : [...frontends, `* ${port.nodePort}`]),
    endpoints: new Set(port.servingEndpoints.map(({ address, port: number }) => `${address} ${number}`)),
  };
}
