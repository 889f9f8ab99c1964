/**
 * Whom an address and port belong to that several Services claim.
 *
 * A cluster IP is its Service's, whoever names it as an external IP or is given it by a load balancer. Of other
 * claimants the older Service is served, and of two made in the same second the first by name. So all nodes and modes
 * settle it alike, and an owner that is made anew has its own address again. (kube-proxy goes by the order of a map, on
 * each node.)
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import { allowedExternalIPs } from './externalIPs.ts';
import type { ServiceKey, ServicePortRecord, ServiceRecord } from './service.ts';

type Config = Pick<NodeConfig, 'externalIPs'>;
type PortOf = Pick<ServicePortRecord, 'protocol' | 'port'>;

/** `ADDRESS PROTOCOL PORT`. */
type Frontend = string;

export class AddressClaims {
  readonly #services: ReadonlyMap<ServiceKey, ServiceRecord>;
  /** Who claims a frontend by an external or load balancer IP, in the order in which they are served. */
  readonly #claimants = new Map<Frontend, readonly ServiceKey[]>();
  /** By cluster IP; only while there are claims of another kind: most clusters have none. */
  #clusterIPs: Map<string, ServiceKey> | undefined;

  /** `services`: live, and changed before `update` is called. */
  constructor(services: ReadonlyMap<ServiceKey, ServiceRecord>) {
    this.#services = services;
  }

  /**
   * A Service has changed, is new (`before` undefined) or gone (`after`). Returns the other Services that may be served
   * at other addresses now.
   */
  update(
    key: ServiceKey,
    before: ServiceRecord | undefined,
    after: ServiceRecord | undefined,
  ): ReadonlySet<ServiceKey> {
    const affected = new Set<ServiceKey>();
    const frontends = new Set([...claimsOf(before), ...claimsOf(after)]);
    for (const frontend of frontends) for (const other of this.#claimants.get(frontend) ?? []) affected.add(other);
    for (const frontend of claimsOf(before)) this.#withdraw(frontend, key);
    for (const frontend of claimsOf(after)) this.#claim(frontend, key);
    this.#trackClusterIPs(key, before, after);
    for (const record of [before, after])
      for (const frontend of clusterFrontends(record))
        for (const other of this.#claimants.get(frontend) ?? []) affected.add(other);
    affected.delete(key);
    return affected;
  }

  /**
   * The Service that an address and port are served for; undefined where no Service claims them as an external or load
   * balancer IP, or none may under the configuration.
   */
  ownerOf(address: string, port: PortOf, config: Config): ServiceKey | undefined {
    const frontend = frontendOf(address, port);
    const claimants = this.#claimants.get(frontend);
    if (claimants === undefined) return undefined;
    const byClusterIP = this.#clusterIPs?.get(address);
    if (byClusterIP !== undefined && clusterFrontends(this.#services.get(byClusterIP)).has(frontend))
      return byClusterIP;
    return claimants.find((key) => this.#mayClaim(key, address, config));
  }

  #mayClaim(key: ServiceKey, address: string, config: Config): boolean {
    const service = this.#services.get(key);
    if (service === undefined) return false;
    return (
      service.loadBalancerIPs.includes(address) || allowedExternalIPs(service.externalIPs, config).includes(address)
    );
  }

  #claim(frontend: Frontend, key: ServiceKey): void {
    const others = this.#claimants.get(frontend) ?? [];
    this.#claimants.set(
      frontend,
      [...others, key].sort((one, other) => this.#compare(one, other)),
    );
  }

  #withdraw(frontend: Frontend, key: ServiceKey): void {
    const others = (this.#claimants.get(frontend) ?? []).filter((each) => each !== key);
    if (others.length === 0) this.#claimants.delete(frontend);
    else this.#claimants.set(frontend, others);
  }

  #compare(one: ServiceKey, other: ServiceKey): number {
    const age = (this.#services.get(one)?.createdAt ?? 0) - (this.#services.get(other)?.createdAt ?? 0);
    if (age !== 0) return age;
    return one < other ? -1 : 1;
  }

  #trackClusterIPs(key: ServiceKey, before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    if (this.#claimants.size === 0) {
      this.#clusterIPs = undefined;
      return;
    }
    if (this.#clusterIPs === undefined) {
      this.#clusterIPs = new Map();
      for (const [each, { clusterIPs }] of this.#services)
        for (const address of clusterIPs) this.#clusterIPs.set(address, each);
    }
    for (const address of before?.clusterIPs ?? [])
      if (this.#clusterIPs.get(address) === key) this.#clusterIPs.delete(address);
    for (const address of after?.clusterIPs ?? []) this.#clusterIPs.set(address, key);
  }
}

/** Those of Services that do not change. */
export function addressClaimsOf(services: ReadonlyMap<ServiceKey, ServiceRecord>): AddressClaims {
  const claims = new AddressClaims(services);
  for (const [key, service] of services) claims.update(key, undefined, service);
  return claims;
}

function claimsOf(service: ServiceRecord | undefined): ReadonlySet<Frontend> {
  if (service === undefined) return new Set();
  return frontendsAt([...service.externalIPs, ...service.loadBalancerIPs], service);
}

function clusterFrontends(service: ServiceRecord | undefined): ReadonlySet<Frontend> {
  return service === undefined ? new Set() : frontendsAt(service.clusterIPs, service);
}

function frontendsAt(addresses: readonly string[], { ports }: ServiceRecord): ReadonlySet<Frontend> {
  return new Set(addresses.flatMap((address) => ports.map((port) => frontendOf(address, port))));
}

function frontendOf(address: string, { protocol, port }: PortOf): Frontend {
  return [address, protocol, port].join(' ');
}
