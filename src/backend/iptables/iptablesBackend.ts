/**
 * @module iptables mode: a Service becomes chains of rules that the first packet of a connection walks through. The
 * README beside this file draws them and lists the files.
 *
 * What is written when, and what a refusal leads to, is the engine's (`engine/syncEngine.ts`). This mode's own:
 *
 * - A change is one run of iptables-restore. `ServiceChains` remembers what was committed last and gives a change as
 *   chains and single rules.
 * - An edited rule is noticed by the next periodic check, not only a missing one: `ChainDigests` keeps 8 bytes a chain
 *   of what iptables-save said at the last reading.
 * - A configuration that iptables does not take is refused before anything is changed: `preflight` and every full write
 *   try the rules of sample Services.
 *
 * Concurrency: no lock is held. `sync`, `findDrift`, `cleanup`, `drainAndRemove` and `handover` are called one at a
 * time by the sync loop of the family; `preflight` changes nothing and may run at any time, as may `removeElsewhere`,
 * which leaves alone what a sync writes, and `packetCounts` reads only, and gives nothing while a sync writes. Between
 * IP families nothing is shared.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { Iptables } from '../../netfilter/xtables/tools/iptables.ts';
import { removeElsewhere, removeFromVariants } from '../../netfilter/xtables/tools/removeAll.ts';
import { readVariants, VariantSelector, type XtablesNode } from '../../netfilter/xtables/tools/variant.ts';
import type {
  Backend,
  DrainRequest,
  DrainResult,
  PacketCounts,
  Refusal,
  RemovalRequest,
  SyncRequest,
  SyncResult,
} from '../backend.ts';
import { countInvalidDropped } from '../engine/apply/invalidDropped.ts';
import { tryRules } from '../engine/apply/tryRules.ts';
import { refusalFrom } from '../engine/preflight.ts';
import { sampleServiceState } from '../engine/sampleServices.ts';
import { SyncEngine } from '../engine/syncEngine.ts';
import type { BackendOptions } from '../mode.ts';
import { type AppliedTables, TableWriter } from './apply/tableWriter.ts';
import { handOver } from './leave/handover.ts';
import { removeUnserved } from './leave/removal.ts';
import { renderIptables } from './plan/render.ts';

/** The backend of one IP family. Runs nothing yet. */
export function createIptablesBackend(options: BackendOptions): Backend {
  return new IptablesBackend(options);
}

class IptablesBackend implements Backend {
  readonly #node: XtablesNode;
  readonly #isServedByOther: BackendOptions['isServedByOther'];
  readonly #variants: VariantSelector;
  readonly #writer: TableWriter;
  readonly #engine: SyncEngine<Iptables, AppliedTables>;

  constructor({ family, host, ownership, isServedByOther }: BackendOptions) {
    this.#node = { family, host, ownership };
    this.#isServedByOther = isServedByOther;
    this.#variants = new VariantSelector(this.#node);
    this.#writer = new TableWriter(this.#variants, ownership);
    this.#engine = new SyncEngine(this.#writer);
  }

  preflight(config: NodeConfig): Promise<Refusal | undefined> {
    return refusalFrom(async () => {
      const sample = sampleServiceState(config, this.#node.family);
      await tryRules(await this.#variants.reselect(config.iptables?.backend), () => renderIptables(sample).input);
    });
  }

  sync(request: SyncRequest): Promise<SyncResult> {
    return this.#engine.sync(request);
  }

  async findDrift(signal: AbortSignal): Promise<string | undefined> {
    const { applied } = this.#engine;
    return applied && this.#writer.findDrift(applied, signal);
  }

  isInNftables(): boolean {
    return this.#variants.isNft(this.#engine.applied?.iptables);
  }

  async packetCounts(signal: AbortSignal): Promise<PacketCounts | undefined> {
    const iptables = this.#engine.applied?.iptables;
    return iptables && { invalidDropped: await countInvalidDropped(iptables, signal) };
  }

  async cleanup(request?: RemovalRequest): Promise<readonly string[]> {
    this.#engine.forget();
    return removeFromVariants(await readVariants(this.#node), this.#node, request);
  }

  removeElsewhere(request?: RemovalRequest): Promise<readonly string[]> {
    return removeElsewhere(this.#variants, this.#node, request);
  }

  async drainAndRemove(request: DrainRequest): Promise<DrainResult> {
    this.#engine.forget();
    return { removed: await removeUnserved(this.#node, this.#isServedByOther, request), draining: 0 };
  }

  async handover(): Promise<readonly string[]> {
    this.#engine.forget();
    return handOver(this.#node);
  }
}
