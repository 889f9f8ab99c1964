/**
 * @module iptables mode: a Service becomes chains of rules that the first packet of a connection walks through. The
 * README beside this file draws them and lists the files.
 *
 * The model. The caller gives a ServiceState and the keys of the Services that changed, or 'all'. When `sync` returns,
 * the kernel holds the rules of the state for this IP family, but for the Services in `quarantined`. When it throws,
 * the kernel may hold anything between before and after; the next sync, whatever it is asked for, writes everything.
 *
 * What it is to do:
 *
 * 1. Cost follows the change. A sync of some Services plans these alone and is one run of iptables-restore, without a
 *    reading of the tables.
 * 2. A full sync believes nobody. It makes the kernel equal to the state whatever stands there, and reads it back.
 * 3. It writes only what differs, so that a new agent, or one in kube-proxy's place, leaves rules alone that stand.
 * 4. One Service that the kernel refuses costs no other Service its rules.
 * 5. An edited rule is noticed by the next periodic check, not only a missing one.
 * 6. A configuration that iptables does not take is refused before anything is changed.
 *
 * How:
 *
 * 1. `AppliedChains` remembers what was committed last and gives the change as chains and single rules. It is only
 *    right for the same configuration, node (`planScope`) and program, so anything else is a full sync.
 * 2. `#applied` is thrown away before a sync writes and set when it has succeeded: after a failure nothing is known,
 *    and the next sync is a full one. `writeTables.ts` compares the tables before and after.
 * 3. The rules that stand are compared in the words of iptables-save (`saveFormat.ts`). Where a version has other
 *    words, more is written than need be.
 * 4. `quarantine.ts` bisects. Only what a tool refuses counts, never a tool that is missing, slow or out of resources.
 * 5. `ChainDigests` keeps 8 bytes a chain of what iptables-save said at the last reading.
 * 6. `preflight` and every full plan try the rules of sample Services (`sampleServices.ts`).
 *
 * Concurrency: no lock is held. `sync`, `findDrift`, `cleanup`, `drainAndRemove` and `handover` are called one at a
 * time by the sync loop of the family; `preflight` changes nothing and may run at any time, and `packetCounts` reads
 * only, and gives nothing while a sync writes. Between IP families nothing is shared.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { Iptables, IptablesHost } from '../../netfilter/xtables/iptables.ts';
import { releaseMemory } from '../../system/memory.ts';
import { SyncError, isRefusal } from '../../netfilter/errors.ts';
import { restore, restoreArguments } from '../../netfilter/xtables/restore.ts';
import type { Backend, DrainResult, PacketCounts, Refusal, SyncRequest, SyncResult } from '../backend.ts';
import { planScope } from '../engine/planContext.ts';
import type { Quarantine } from '../engine/quarantine.ts';
import { withoutKeys } from '../engine/quarantine.ts';
import { InvalidRule } from '../../netfilter/xtables/rule.ts';
import type { AppliedChains } from './plan/appliedChains.ts';
import { ChainDigests } from '../../netfilter/xtables/chainDigests.ts';
import { findDifference } from '../../netfilter/xtables/compareTables.ts';
import { handOver } from './leave/handover.ts';
import type { Plan } from './plan/plan.ts';
import { omitsComments, planState } from './plan/plan.ts';
import { countInvalidDropped, readTables } from '../../netfilter/xtables/readTables.ts';
import { drainAndRemove, removeAll } from './leave/removal.ts';
import { sampleServiceState } from '../engine/sampleServices.ts';
import { SyncWork } from './apply/syncWork.ts';
import { renderIptables } from './plan/transaction.ts';
import { readVariants, selectIptables } from '../../netfilter/xtables/variant.ts';
import { writeAll, writeChange } from './apply/writeTables.ts';

/** What was committed last, and where. */
interface Applied {
  readonly scope: string;
  /** Decided by every full sync anew, for changes must not rewrite what they are not about. */
  readonly commentsOmitted: boolean;
  readonly chains: AppliedChains;
  readonly digests: ChainDigests;
  readonly iptables: Iptables;
  /** What is left out of it. */
  readonly quarantine: Quarantine;
}

/** From so many Services on a full sync leaves tens of megabytes of garbage behind. */
const manyServices = 1000;

/** The backend of one IP family; `host` says where the tools are and how they are run. Runs nothing yet. */
export function createIptablesBackend(family: IPFamily, host: IptablesHost = {}): Backend {
  return new IptablesBackend(family, host);
}

class IptablesBackend implements Backend {
  readonly #family: IPFamily;
  readonly #host: IptablesHost;
  #applied: Applied | undefined;
  /** By what the configuration asks for. */
  readonly #selected = new Map<string, Iptables>();

  constructor(family: IPFamily, host: IptablesHost) {
    this.#family = family;
    this.#host = host;
  }

  async preflight(config: NodeConfig): Promise<Refusal | undefined> {
    try {
      const iptables = await this.#select(config);
      await restore(iptables, { args: ['--test', ...restoreArguments], input: ['*nat\nCOMMIT\n*filter\nCOMMIT\n'] });
      return await this.#tryConfig(iptables, config);
    } catch (error) {
      if (error instanceof SyncError) return { reason: error.reason, message: error.message };
      throw error;
    }
  }

  /** Whether the tool takes the rules that Services get under this configuration: undefined, or why not. */
  async #tryConfig(iptables: Iptables, config: NodeConfig): Promise<Refusal | undefined> {
    try {
      const { input } = renderIptables(sampleServiceState(config, this.#family));
      await restore(iptables, { args: ['--test', ...restoreArguments], input: [input] });
      return undefined;
    } catch (error) {
      if (isRefusal(error) || error instanceof InvalidRule) return configRefusal;
      throw error;
    }
  }

  async sync({ state, changed, signal }: SyncRequest): Promise<SyncResult> {
    const iptables = await this.#iptablesFor(state.config);
    const scope = planScope(state);
    const before = this.#applied;
    // Until the new state is committed nothing is known of the kernel: a failure leaves it so, and the next sync reads
    // the tables itself.
    this.#applied = undefined;
    const isPartial = changed !== 'all' && before?.scope === scope && before.iptables === iptables;
    const commentsOmitted = isPartial ? before.commentsOmitted : omitsComments(state);
    const work = isPartial ? workOfChange(before, state, changed) : workOfAll(state, commentsOmitted);
    const write = { iptables, work, signal };
    const chains = isPartial ? await writeChange(before.chains, changed, write) : await writeAll(write);
    this.#applied = { scope, commentsOmitted, chains, digests: work.digests, iptables, quarantine: work.quarantine };
    // Make before break: the rules that another setting put into the other variant go when those of this one stand.
    if (before !== undefined && before.iptables.variant !== iptables.variant) await removeAll(before.iptables);
    if (work.isFull && chains.services >= manyServices) releaseMemory();
    return work.resultOf(chains);
  }

  async findDrift(signal: AbortSignal): Promise<string | undefined> {
    const applied = this.#applied;
    if (applied === undefined) return undefined;
    const view = await readTables(applied.iptables, signal);
    const difference = findDifference(view, applied.chains, applied.digests);
    if (difference === undefined) applied.digests.learn(view);
    return difference;
  }

  async packetCounts(signal: AbortSignal): Promise<PacketCounts | undefined> {
    const iptables = this.#applied?.iptables;
    return iptables && { invalidDropped: await countInvalidDropped(iptables, signal) };
  }

  async cleanup(): Promise<readonly string[]> {
    this.#applied = undefined;
    const removed: string[] = [];
    for (const { iptables } of await readVariants(this.#family, this.#host))
      removed.push(...(await removeAll(iptables)));
    return removed;
  }

  async drainAndRemove(): Promise<DrainResult> {
    this.#applied = undefined;
    return { removed: await drainAndRemove(this.#family, this.#host), draining: 0 };
  }

  async handover(): Promise<readonly string[]> {
    this.#applied = undefined;
    return handOver(await readVariants(this.#family, this.#host));
  }

  /** Chosen once for each setting: a node does not change its variant while it runs. Throws a SyncError. */
  async #iptablesFor(config: NodeConfig): Promise<Iptables> {
    return this.#selected.get(choiceOf(config)) ?? this.#select(config);
  }

  /** Chooses anew; gives the same object again where the variant is the same. Throws a SyncError. */
  async #select(config: NodeConfig): Promise<Iptables> {
    const [before, found] = [
      this.#selected.get(choiceOf(config)),
      await selectIptables(this.#family, config, this.#host),
    ];
    const iptables = before?.variant === found.variant ? before : found;
    this.#selected.set(choiceOf(config), iptables);
    return iptables;
  }
}

const configRefusal: Refusal = {
  reason: 'ConfigRefused',
  message:
    'iptables-restore does not take the rules that Services get under this configuration; correct localTraffic or nodePorts.addresses',
};

function choiceOf(config: NodeConfig): string {
  return config.iptables?.backend ?? 'Auto';
}

function workOfChange(before: Applied, state: ServiceState, changed: ReadonlySet<ServiceKey>): SyncWork {
  return new SyncWork({
    plan: planState(state, before.commentsOmitted),
    quarantine: withoutKeys(before.quarantine, changed),
    digests: before.digests,
  });
}

function workOfAll(state: ServiceState, commentsOmitted: boolean): SyncWork {
  return new SyncWork({
    plan: planAll(state, commentsOmitted),
    quarantine: new Map(),
    digests: new ChainDigests(),
  });
}

/**
 * The plan of all Services. Throws InvalidRule where the configuration itself cannot be written, else every Service
 * would be left out for it.
 */
function planAll(state: ServiceState, commentsOmitted: boolean): Plan {
  renderIptables(sampleServiceState(state.config, state.family));
  return planState(state, commentsOmitted);
}
