/**
 * Virtual servers as the kernel has them, read from `ipvsadm -Ln`.
 */
import { familyOf, type IPFamily } from '../../model/ipFamily.ts';
import { listedServerName, serverAddress, type ServerName } from './virtualServer.ts';

export interface ExistingServer {
  readonly scheduler: string;
  readonly persistenceSeconds: number | undefined;
  readonly realServers: Map<string, ExistingRealServer>;
}

export interface ExistingRealServer {
  readonly weight: number;
  /** Active and inactive ones. */
  readonly connections: number;
  /** Replies come back through this node. */
  readonly masquerading: boolean;
}

/** Whether two virtual servers have the same scheduler and affinity. */
export function hasSettings(
  one: Omit<ExistingServer, 'realServers'>,
  other: Omit<ExistingServer, 'realServers'>,
): boolean {
  return one.scheduler === other.scheduler && one.persistenceSeconds === other.persistenceSeconds;
}

/** Of `ipvsadm -Ln`: a virtual server's line, then one for each of its real servers. */
export class ServerReader {
  readonly servers = new Map<ServerName, ExistingServer>();
  readonly #family: IPFamily;
  #current: ExistingServer | undefined;

  constructor(family: IPFamily) {
    this.#family = family;
  }

  read(line: string): void {
    const [first = '', second = '', ...rest] = line.trim().split(/\s+/);
    if (first === '->') this.#readRealServer(second, rest);
    else this.#current = this.#readServer(listedServerName(first, second), rest);
  }

  #readServer(name: ServerName | undefined, [scheduler = '', ...flags]: readonly string[]): ExistingServer | undefined {
    if (name === undefined || familyOf(serverAddress(name)) !== this.#family) return undefined;
    const persistent = flags.indexOf('persistent');
    const server = {
      scheduler,
      persistenceSeconds: persistent === -1 ? undefined : Number(flags[persistent + 1]),
      realServers: new Map(),
    };
    this.servers.set(name, server);
    return server;
  }

  #readRealServer(address: string, [forwarding, weight, active, inactive]: readonly string[]): void {
    this.#current?.realServers.set(address, {
      weight: Number(weight),
      connections: Number(active) + Number(inactive),
      masquerading: forwarding === 'Masq',
    });
  }
}
