/**
 * Which UDP addresses a node serves and who may answer on each, so that flows which lead nowhere any more are known.
 *
 * A client that keeps its socket (a resolver does) goes on sending to where its first packet was led, for as long as
 * the kernel tracks the flow: also when that endpoint is gone. So the addresses of Services that lost all endpoints or
 * were deleted are remembered until they have been looked at; kube-proxy forgets those.
 */
import { candidatesOf } from '../model/endpoints.ts';
import type { EndpointSliceRecord } from '../model/endpointSlice.ts';
import type { IPFamily } from '../model/ipFamily.ts';
import type { ServiceKey } from '../model/service.ts';
import type { ServicePort } from '../model/servicePort.ts';
import type { UdpFlow } from '../system/conntrack.ts';

/** `ADDRESS PORT`, or `* PORT` for a NodePort. */
type Frontend = string;

/** One UDP port of a Service. */
export interface UdpService {
  readonly frontends: ReadonlySet<Frontend>;
  /** `ADDRESS PORT` of all endpoints that answer, also of those that get no new flows (draining, another zone's). */
  readonly servers: ReadonlySet<string>;
}

export interface ServiceNow {
  readonly ports: readonly ServicePort[];
  readonly slices: Iterable<EndpointSliceRecord>;
  readonly family: IPFamily;
}

const nothing: UdpService = { frontends: new Set(), servers: new Set() };

export class UdpFrontends {
  readonly #services = new Map<ServiceKey, readonly UdpService[]>();
  readonly #current = new Map<Frontend, UdpService>();
  #suspects = new Set<Frontend>();

  /** Takes over what a Service serves now; without ports it is gone. */
  set(key: ServiceKey, after: readonly UdpService[]): void {
    const before = this.#services.get(key) ?? [];
    for (const service of before) this.#forget(service);
    for (const service of after) for (const frontend of service.frontends) this.#current.set(frontend, service);
    if (after.length === 0) this.#services.delete(key);
    else this.#services.set(key, after);
    for (const service of before) this.#suspect(service);
    for (const service of after) this.#suspectNew(service, before);
  }

  /** The keys of Services that it knows, so that those which are gone can be found. */
  keys(): Iterable<ServiceKey> {
    return this.#services.keys();
  }

  has(key: ServiceKey): boolean {
    return this.#services.has(key);
  }

  /** Hands over what is to be looked at and forgets that it was; undefined when flows can be stale nowhere. */
  takeSuspects(): StaleCheck | undefined {
    if (this.#suspects.size === 0) return undefined;
    const suspects = this.#suspects;
    this.#suspects = new Set();
    return { suspects, isStale: (flow, isNodeAddress) => this.#isStale(flow, suspects, isNodeAddress) };
  }

  /** After a look that failed. */
  giveBack(suspects: ReadonlySet<Frontend>): void {
    for (const frontend of suspects) this.#suspects.add(frontend);
  }

  #isStale(
    { destination, port, replySource, replyPort }: UdpFlow,
    suspects: ReadonlySet<Frontend>,
    isNodeAddress: (address: string) => boolean,
  ): boolean {
    const answers = (frontend: Frontend): boolean =>
      (this.#current.get(frontend) ?? nothing).servers.has(`${replySource} ${replyPort}`);
    const exact = `${destination} ${port}`;
    if (this.#current.has(exact) || suspects.has(exact)) return suspects.has(exact) && !answers(exact);
    // The port of a NodePort may be anybody's port elsewhere: only what comes to this node, or was translated, is a
    // flow of ours.
    const nodePort = `* ${port}`;
    const isOurs = replySource !== destination || isNodeAddress(destination);
    return isOurs && suspects.has(nodePort) && !answers(nodePort);
  }

  #forget(service: UdpService): void {
    for (const frontend of service.frontends)
      if (this.#current.get(frontend) === service) this.#current.delete(frontend);
  }

  /** An address that is served no longer, or not by all who served it. */
  #suspect({ frontends, servers }: UdpService): void {
    for (const frontend of frontends) {
      const left = this.#current.get(frontend)?.servers;
      if (left === undefined || [...servers].some((server) => !left.has(server))) this.#suspects.add(frontend);
    }
  }

  /** Before an address was served, flows to it went untranslated, and the kernel would leave them so. */
  #suspectNew({ frontends }: UdpService, before: readonly UdpService[]): void {
    for (const frontend of frontends)
      if (!before.some((service) => service.frontends.has(frontend) && service.servers.size > 0))
        this.#suspects.add(frontend);
  }
}

export interface StaleCheck {
  readonly suspects: ReadonlySet<Frontend>;
  isStale(flow: UdpFlow, isNodeAddress: (address: string) => boolean): boolean;
}

export function udpServicesOf(now: ServiceNow): readonly UdpService[] {
  return now.ports.filter(({ protocol }) => protocol === 'UDP').map((port) => udpServiceOf(port, now));
}

function udpServiceOf(port: ServicePort, { slices, family }: ServiceNow): UdpService {
  const frontends = [port.clusterIP, ...port.externalIPs, ...port.loadBalancerIPs].map(
    (address) => `${address} ${port.port}`,
  );
  const candidates = candidatesOf(
    { name: port.portName, protocol: port.protocol, port: port.port, nodePort: port.nodePort },
    slices,
    family,
  );
  const servers = candidates
    .filter(({ ready, serving }) => ready || serving)
    .map(({ address, port: number }) => `${address} ${number}`);
  return {
    frontends: new Set(port.nodePort === 0 ? frontends : [...frontends, `* ${port.nodePort}`]),
    servers: new Set(servers),
  };
}
