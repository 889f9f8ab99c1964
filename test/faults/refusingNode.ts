/**
 * A node with 1,000 Services whose kernel refuses some: iptables-restore fails whenever its input holds an address of
 * one of theirs.
 */
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { CommandError, type RunCommand } from '../../src/system/command.ts';
import { keysOf, manyServices, plainService, state } from '../backend/iptables/services.ts';
import { createEmptyNode, type Network } from '../support/network.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';

export const serviceCount = 1000;
const addressOf = /-d (10\.96\.\d+\.\d+)\/32/g;

export class RefusingNode {
  readonly loop: SyncLoop;
  readonly #node: Pick<Network, 'runOnNode' | 'close'> = createEmptyNode();
  readonly #refused: ReadonlySet<string>;
  #manifests = manyServices(serviceCount);

  /** Refuses every Service of which `isRefused` says so by its index. */
  constructor(isRefused: (index: number) => boolean) {
    const refused = this.#manifests.filter((_service, index) => isRefused(index));
    this.#refused = new Set(refused.map(({ clusterIP }) => clusterIP?.ipv4 ?? ''));
    this.loop = new SyncLoop({
      family: 'ipv4',
      backend: createBackend('iptables', 'ipv4', { run: async (command) => this.#run(command) }),
      state: () => state(this.#manifests, { iptables: { backend: 'Nft' } }),
      listeners: [],
      logger: silentLogger,
    });
    this.loop.start();
  }

  /** Resolves when some Services are served. */
  async untilSomeServed(): Promise<void> {
    await until('some are served', () => (this.loop.status.result?.services ?? 0) > 0, 30_000);
  }

  /** Adds a Service that is not refused; resolves when it is in force, to the time that took in ms. */
  async addNeighbor(timeoutMs: number): Promise<number> {
    const neighbor = plainService(serviceCount + 1);
    this.#manifests = [...this.#manifests, neighbor];
    const added = performance.now();
    for (const service of keysOf([neighbor])) this.loop.enqueue({ family: 'ipv4', service, kind: 'service' });
    await until('it is in force', () => this.#serves(neighbor.clusterIP?.ipv4 ?? ''), timeoutMs, 10);
    return performance.now() - added;
  }

  /** Resolves when each Service that is refused is known. */
  async untilAllFound(): Promise<void> {
    await until('all are found', () => this.loop.status.result?.untried === 0, 120_000);
  }

  async close(): Promise<void> {
    await this.loop.stop(0);
    await this.#node.close();
  }

  #run: RunCommand = (command) => {
    const input = command.input === undefined ? undefined : [...command.input].join('');
    for (const [, address = ''] of input?.matchAll(addressOf) ?? [])
      if (this.#refused.has(address)) throw new CommandError('Failed', 'refused', { exitCode: 1, stderr: '' });
    return this.#node.runOnNode({ ...command, ...(input !== undefined && { input: [input] }) });
  };

  async #serves(address: string): Promise<boolean> {
    let found = false;
    const onLine = (line: string): void => void (found ||= line.includes(`-d ${address}/32`));
    await this.#node.runOnNode({ file: '/usr/sbin/iptables-nft-save', args: ['-t', 'nat'], onLine, timeoutMs: 30_000 });
    return found;
  }
}
