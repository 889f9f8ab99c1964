/**
 * An agent's store and backend through a history: one that syncs again and again, and one that observes everything and
 * syncs once.
 */
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { ServiceChange } from '../../../src/agent/watch/store.ts';
import { Store } from '../../../src/agent/watch/store.ts';
import type { Backend, SyncResult } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { decodeEndpointSlice } from '../../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../../src/model/decodeNode.ts';
import { decodeService } from '../../../src/model/decodeService.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import type { NodeRecord } from '../../../src/model/node.ts';
import { type RunCommand, CommandError, type ToolHost } from '../../../src/system/command.ts';
import { defaultConfig } from '../../support/serviceManifests.ts';
import type { Event } from './events.ts';
import { nodeObject } from './events.ts';
import { signal } from './services.ts';

export interface Places {
  readonly stepwise: Host;
  readonly fresh: Host;
  readonly config?: Partial<NodeConfig>;
  readonly family: IPFamily;
  /** What both find at their start. */
  readonly before: readonly Event[];
}

export type Host = ToolHost & { readonly run: RunCommand };

/** The last result of each. */
export async function bothLives(
  batches: readonly (readonly Event[])[],
  places: Places,
): Promise<readonly [SyncResult, SyncResult]> {
  const one = new Life(places.stepwise, places);
  for (const event of places.before) one.observe(event);
  let result = await one.sync();
  for (const batch of batches) {
    for (const event of batch) one.observe(event);
    result = await one.sync();
  }
  const other = new Life(places.fresh, places);
  // A list comes in any order, and with each object in its last form.
  for (const event of lastForms([...places.before, ...batches.flat()])) other.observe(event);
  return [result, await other.sync()];
}

function lastForms(events: readonly Event[]): readonly Event[] {
  const lasting = events.filter(({ kind }) => kind !== 'cut');
  return [
    ...new Map(
      lasting.map((event) => [`${event.kind.replace('Gone', '')} ${'key' in event ? event.key : ''}`, event]),
    ).values(),
  ].toReversed();
}

class Life {
  readonly #store = new Store();
  readonly #tool: CuttableTool;
  readonly #backend: Backend;
  readonly #usual: NodeConfig;
  readonly #family: IPFamily;
  #config: NodeConfig;
  #changed: Set<string> | 'all' = 'all';

  constructor(host: Host, { config, family }: Pick<Places, 'config' | 'family'>) {
    this.#tool = new CuttableTool(host.run);
    this.#backend = createBackend('iptables', family, { ...host, run: this.#tool.run });
    this.#usual = { ...defaultConfig, ...config };
    this.#config = this.#usual;
    this.#family = family;
    this.#store.setNode(
      decodeNode(nodeObject({ zone: 'zone-a', addresses: ['192.0.2.1', '2001:db8::1'], podCIDRs: [] })).record,
    );
    this.#store.listen({
      onChange: (change) => this.#note(change),
      onNodeChange: () => (this.#changed = 'all'),
      onClusterIPsChange: () => (this.#changed = 'all'),
    });
  }

  observe(event: Event): void {
    if (event.kind === 'service') this.#store.setService(event.key, decodeService(event.object));
    else if (event.kind === 'serviceGone') this.#store.removeService(event.key);
    else if (event.kind === 'slice') this.#store.setSlice(event.key, decodeEndpointSlice(event.object));
    else if (event.kind === 'sliceGone') this.#store.removeSlice(event.key);
    else if (event.kind === 'node') this.#store.setNode(decodeNode(event.object).record);
    else if (event.kind === 'clusterIPs') this.#store.setClusterIPs(event.sources);
    else if (event.kind === 'config') this.#config = { ...this.#usual, ...event.config };
    else if (event.kind === 'cut') this.#tool.cutAfter(event.afterTables);
  }

  /** A backend that failed knows by itself that it must write everything. */
  async sync(): Promise<SyncResult> {
    const changed = this.#changed;
    this.#changed = new Set();
    try {
      return await this.#syncOnce(changed);
    } catch (error) {
      if (!this.#tool.wasCut(error)) throw error;
      return this.#syncOnce(changed);
    }
  }

  #syncOnce(changed: Set<string> | 'all'): Promise<SyncResult> {
    return this.#backend.sync({
      state: this.#store.state(this.#family, this.#store.node as NodeRecord, this.#config),
      changed,
      signal,
    });
  }

  #note({ family, service }: ServiceChange): void {
    if (family === this.#family && this.#changed !== 'all') this.#changed.add(service);
  }
}

/** An iptables-restore that can be made to end too early: the tables that it had committed by then stay. */
class CuttableTool {
  readonly #run: RunCommand;
  #tables: number | undefined;
  readonly #cuts = new Set<unknown>();

  constructor(run: RunCommand) {
    this.#run = run;
  }

  cutAfter(tables: number): void {
    this.#tables = tables;
  }

  wasCut(error: unknown): boolean {
    return error instanceof Error && this.#cuts.has(error.cause);
  }

  run: RunCommand = async (command) => {
    const tables = this.#tables;
    const { file, args, input = [] } = command;
    if (tables === undefined || !file.endsWith('-restore') || args.includes('--test') || args.includes('--version'))
      return this.#run(command);
    this.#tables = undefined;
    const pieces = [...input].join('').split(/(?<=^COMMIT\n)/m);
    await this.#run({ ...command, input: [pieces.slice(0, tables).join('')] });
    const error = new CommandError('TimedOut', 'cut off');
    this.#cuts.add(error);
    throw error;
  };
}
