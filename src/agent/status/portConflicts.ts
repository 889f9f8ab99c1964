/**
 * Ports of the node that Services have and another program listens on. A NodePort is served all the same, for the rules
 * come before the program: nobody outside of the node reaches that any more. A health-check node port is answered by
 * whoever listens. Nothing keeps the API server from giving a port that is taken, and nobody is told.
 *
 * No port is taken to find out: kube-proxy did so until 1.22, and was in the way of programs itself.
 */
import { isDeepStrictEqual } from 'node:util';
import { shortened } from '../../api/bounded.ts';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { shortList } from '../../api/shortList.ts';
import { canonicalAddress, cidrContains, familyOf, ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import { loopbackNetwork } from '../../model/nodePortAddresses.ts';
import type { Protocol } from '../../model/protocol.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { Logger } from '../../observability/logger.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import { ChosenInSync, remember } from '../dataplane/chosenInSync.ts';
import type { ObservedLoop, SyncListener } from '../dataplane/syncListener.ts';
import type { SyncRun } from '../dataplane/syncStatus.ts';
import { healthCheckAddresses } from '../healthcheck/serviceHealth.ts';
import type { ListeningSocket } from '../../system/listeningSockets.ts';
import type { ReadNodeAddresses } from '../kernel/nodeAddresses.ts';

export interface PortConflictsOptions {
  /** Of all programs on the node. Never rejects. */
  readonly readListeningSockets: () => Promise<readonly ListeningSocket[]>;
  readonly readNodeAddresses: ReadNodeAddresses;
  readonly metrics: Pick<AgentMetrics, 'portConflicts'>;
  readonly logger: Logger;
  /** `found` changed. */
  readonly onStatusChange: () => void;
  /** For tests. */
  readonly timing?: Timing;
}

/** Between two looks, all in ms. */
interface Timing {
  /** Where there is no conflict, and nothing changed. Default 60,000. */
  readonly periodMs: number;
  /** Where there is a conflict, so that its end is soon known. Default 10,000. */
  readonly conflictPeriodMs: number;
  /** Where ports changed. Default 5,000. */
  readonly minPeriodMs: number;
}

/** A port of the node that a Service has. */
interface NodePort {
  readonly port: number;
  readonly protocol: Protocol;
  readonly isHealthCheck: boolean;
}

export interface PortConflict extends NodePort {
  readonly service: ServiceKey;
}

/** Of one family, since the last sync. */
class NodePorts {
  readonly services = new Map<ServiceKey, readonly NodePort[]>();
  readonly chosen = new ChosenInSync<readonly NodePort[]>(this.services);
  serving: Pick<SyncRun, 'node' | 'config'> | undefined;
}

const defaultTiming: Timing = { periodMs: 60_000, conflictPeriodMs: 10_000, minPeriodMs: 5000 };
const maxNamed = 2;
const maxNameLength = 40;
const maxLogged = 10;
/** Series of the metric. */
const maxMeasured = 100;

export class PortConflicts implements SyncListener {
  readonly #options: PortConflictsOptions;
  readonly #ports: { readonly [family in IPFamily]: NodePorts } = { ipv4: new NodePorts(), ipv6: new NodePorts() };
  /** By what is in conflict and the socket that it is in conflict with: another program's socket is logged anew. */
  #found: ReadonlyMap<string, PortConflict> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #lookedAt = -Infinity;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: PortConflictsOptions) {
    this.#options = options;
  }

  onServicePorts({ status: { family } }: ObservedLoop, key: ServiceKey, ports: readonly ServicePort[]): void {
    const nodePorts = nodePortsOf(ports);
    this.#ports[family].chosen.note(key, nodePorts.length === 0 ? undefined : nodePorts);
  }

  onSuccess({ status: { family } }: ObservedLoop, { result, node, config }: SyncRun): void {
    const { services, chosen } = this.#ports[family];
    const taken = chosen.take(result);
    const isNews = ([key, ports]: readonly [ServiceKey, readonly NodePort[] | undefined]): boolean =>
      !isDeepStrictEqual(ports, services.get(key));
    const hasChanged = result.full || [...taken].some(isNews);
    remember(taken, services);
    this.#ports[family].serving = { node, config };
    if (hasChanged) this.#request(this.#timing.minPeriodMs);
  }

  onFailure({ status: { family } }: ObservedLoop): void {
    this.#ports[family].chosen.discard();
  }

  /** Sorted by Service and port. */
  get found(): readonly PortConflict[] {
    return [...new Map([...this.#found.values()].map((each) => [keyOf(each), each])).values()];
  }

  /** For the NodeProxy: none where there is no conflict. The condition does not keep the node from being Ready. */
  conditions(): readonly NodeConditionNow[] {
    const { found } = this;
    if (found.length === 0) return [];
    const named = shortList(found.map(nameOf), maxNamed);
    const message = `Other programs on this node listen on ports of Services: ${named}. NodePorts are served all the same, health checks are not.`;
    return [{ type: 'NodePorts', status: 'False', reason: 'PortInUse', message }];
  }

  /** Resolves when a look that is under way has ended; none follows. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  get #timing(): Timing {
    return this.#options.timing ?? defaultTiming;
  }

  /** A look is due so long after the last one, at the soonest. */
  #request(afterMs: number): void {
    const now = performance.now();
    const dueAt = Math.max(now, this.#lookedAt + afterMs);
    if (this.#isStopped || dueAt >= this.#dueAt) return;
    const onError = (error: unknown): void =>
      this.#options.logger.error('it is not known who listens on ports of Services', { error });
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => void (this.#looking = this.#look().catch(onError)), dueAt - now);
  }

  async #look(): Promise<void> {
    this.#lookedAt = performance.now();
    this.#dueAt = Infinity;
    const hasPorts = ipFamilies.some((family) => this.#ports[family].services.size > 0);
    this.#take(hasPorts ? this.#conflictsWith(await this.#options.readListeningSockets()) : new Map());
    const { periodMs, conflictPeriodMs } = this.#timing;
    if (hasPorts) this.#request(this.#found.size > 0 ? conflictPeriodMs : periodMs);
  }

  #conflictsWith(sockets: readonly ListeningSocket[]): ReadonlyMap<string, PortConflict> {
    const conflicts = ipFamilies.flatMap((family) => {
      const { services, serving } = this.#ports[family];
      if (serving === undefined) return [];
      const addresses = healthCheckAddresses(serving.config, this.#options.readNodeAddresses(serving.node), family);
      const byPort = Map.groupBy(
        sockets.filter((socket) => isReachedAt(socket, family, addresses)),
        ({ protocol, port }) => `${protocol} ${port}`,
      );
      return [...services].flatMap(([service, ports]) =>
        ports.flatMap((port) =>
          (byPort.get(`${port.protocol} ${port.port}`) ?? [])
            // On a health-check node port it is mostly this program that listens.
            .filter(({ isOwn }) => !isOwn || !port.isHealthCheck)
            .map(({ inode }) => [`${keyOf({ service, ...port })} ${inode}`, { service, ...port }] as const),
        ),
      );
    });
    return new Map(conflicts.sort(([, one], [, other]) => compare(one, other)));
  }

  #take(found: ReadonlyMap<string, PortConflict>): void {
    const { logger, onStatusChange } = this.#options;
    const before = this.#found;
    const added = new Set([...found].filter(([key]) => !before.has(key)).map(([, conflict]) => nameOf(conflict)));
    const listed = this.found;
    this.#found = found;
    if (added.size > 0)
      logger.warn('other programs listen on ports of Services', {
        count: added.size,
        ports: [...added].slice(0, maxLogged),
      });
    if (isDeepStrictEqual(listed, this.found)) return;
    this.#measure();
    onStatusChange();
  }

  #measure(): void {
    const { portConflicts } = this.#options.metrics;
    portConflicts.reset();
    for (const { service, port, protocol } of this.found.slice(0, maxMeasured)) {
      const [namespace = '', name = ''] = service.split('/');
      portConflicts.set({ namespace, service: name, port, protocol }, 1);
    }
  }
}

function nodePortsOf(ports: readonly ServicePort[]): readonly NodePort[] {
  const healthCheck = ports[0]?.healthCheckNodePort ?? 0;
  return [
    ...ports
      .filter(({ nodePort }) => nodePort !== 0)
      .map(({ nodePort, protocol }) => ({ port: nodePort, protocol, isHealthCheck: false })),
    ...(healthCheck === 0 ? [] : [{ port: healthCheck, protocol: 'TCP', isHealthCheck: true } as const]),
  ];
}

/**
 * Whether what is sent to one of these addresses would reach the socket, were it not for us; `0.0.0.0` and `::` are all
 * addresses. One of IPv6 that takes all addresses mostly takes those of IPv4 as well.
 */
function isReachedAt(
  { address, family: ofSocket }: ListeningSocket,
  family: IPFamily,
  addresses: readonly string[],
): boolean {
  const own = canonicalAddress(address) ?? '';
  if (own === '::') return family === ofSocket || family === 'ipv4';
  if (own === '0.0.0.0') return family === 'ipv4';
  if (familyOf(own) !== family || cidrContains(loopbackNetwork(family), own)) return false;
  return addresses.some((each) => each === own || each === '0.0.0.0' || each === '::');
}

/** The same in both families. */
function keyOf({ service, port, protocol }: PortConflict): string {
  return `${service} ${port} ${protocol}`;
}

/** Of a conflict, without what it is in conflict with: `default/web 30080/TCP`. */
function nameOf({ service, port, protocol, isHealthCheck }: PortConflict): string {
  return `${shortened(service, maxNameLength)} ${port}/${protocol}${isHealthCheck ? ' (health check)' : ''}`;
}

function compare(one: PortConflict, other: PortConflict): number {
  if (one.service !== other.service) return one.service < other.service ? -1 : 1;
  return one.port - other.port || (one.protocol < other.protocol ? -1 : 1);
}
