/**
 * The iptables backend: brings plans into the kernel by iptables-restore and makes sure that they arrived.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { Iptables, IptablesHost } from '../../system/iptables.ts';
import { releaseMemory } from '../../system/memory.ts';
import type {
  Backend,
  PacketCounts,
  QuarantinedService,
  Refusal,
  DrainResult,
  SyncRequest,
  SyncResult,
} from '../backend.ts';
import { SyncError, isRefusal, verificationFailed } from '../../netfilter/errors.ts';
import { findRefused } from '../shared/bisect.ts';
import { planScope } from '../shared/context.ts';
import type { Quarantine } from '../shared/quarantine.ts';
import { withoutKeys } from '../shared/quarantine.ts';
import { ChainDigests } from './chainDigests.ts';
import { handOver } from './handover.ts';
import { countInvalidDropped, readTables } from './readTables.ts';
import { differencesOf, findDifference, hasTree } from './compareTables.ts';
import { readVariants, selectIptables } from './variant.ts';
import { restore, takesBlocks } from '../../netfilter/xtables/restore.ts';
import { AppliedChains } from './appliedChains.ts';
import type { Plan } from './plan.ts';
import { omitsComments, planState } from './plan.ts';
import type { FormattedServicePort } from './format.ts';
import { formatService } from './format.ts';
import { removeAll, drainAndRemove } from './removal.ts';
import { InvalidRule } from '../shared/rule.ts';
import {
  changeTransaction,
  fullTransaction,
  renderIptables,
  trialTransaction,
  trialRemovalTransaction,
} from './transaction.ts';
import { restoreArguments } from '../../netfilter/xtables/restore.ts';
import { sampleServiceState } from './sampleServices.ts';

/** What was committed last, and where. */
interface Applied {
  readonly scope: string;
  /** Decided by every full sync anew, for changes must not rewrite what they are not about. */
  readonly commentsOmitted: boolean;
  readonly applied: AppliedChains;
  readonly digests: ChainDigests;
  readonly iptables: Iptables;
  /** What is left out of it. */
  readonly quarantine: Quarantine;
}

/** From so many on a full sync leaves tens of megabytes behind. */
const manyServices = 1000;

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

  /** Whether the tool takes the rules that Services get under this configuration. */
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
    // Until the new state is committed nothing is known of the kernel: a failure leaves it so, and the next sync looks
    // for itself.
    this.#applied = undefined;
    const isPartial = changed !== 'all' && before?.scope === scope && before.iptables === iptables;
    const commentsOmitted = isPartial ? before.commentsOmitted : omitsComments(state);
    const work = isPartial
      ? new Work(planState(state, commentsOmitted), withoutKeys(before.quarantine, changed), before.digests)
      : new Work(planAll(state, commentsOmitted), new Map(), new ChainDigests());
    const applied = isPartial
      ? await writeChange({ iptables, applied: before.applied, changed, signal }, work)
      : await writeAll(iptables, work, signal);
    this.#applied = { scope, commentsOmitted, applied, digests: work.digests, iptables, quarantine: work.quarantine };
    // Make before break: the rules that another setting put into the other variant go when those of this one stand.
    if (before !== undefined && before.iptables.variant !== iptables.variant) await removeAll(before.iptables);
    if (work.full && applied.services >= manyServices) releaseMemory();
    return work.result(applied);
  }

  async findDrift(signal: AbortSignal): Promise<string | undefined> {
    const applied = this.#applied;
    if (applied === undefined) return undefined;
    const view = await readTables(applied.iptables, signal);
    const difference = findDifference(view, applied.applied, applied.digests);
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

  /** Chosen once for each setting: a node does not change its variant while it runs. */
  async #iptablesFor(config: NodeConfig): Promise<Iptables> {
    return this.#selected.get(choiceOf(config)) ?? this.#select(config);
  }

  /** Anew; the same one again where the variant is the same. */
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

/**
 * Throws InvalidRule where the configuration itself cannot be written: else every Service would be left out for it.
 */
function planAll(state: ServiceState, commentsOmitted: boolean): Plan {
  renderIptables(sampleServiceState(state.config, state.family));
  return planState(state, commentsOmitted);
}

/** Writes every rule but those of Services that the kernel refuses. */
async function writeAll(iptables: Iptables, work: Work, signal: AbortSignal): Promise<AppliedChains> {
  work.full = true;
  try {
    return await tryAll(iptables, work, signal);
  } catch (error) {
    await quarantineRefused({ iptables, keys: [...work.plan.keys()], error, signal }, work);
    return tryAll(iptables, work, signal);
  }
}

/** Writes every rule that does not stand there already, and believes nobody that it worked. */
async function tryAll(iptables: Iptables, work: Work, signal: AbortSignal): Promise<AppliedChains> {
  const { plan } = work;
  const view = await work.run(() => readTables(iptables, signal));
  const applied = new AppliedChains(plan.fixed, hasTree(view));
  const differences = {
    ...differencesOf(iptables, view, applied),
    takesBlocks: iptables.variant === 'nft' && (await work.run(() => takesBlocks(iptables, signal))),
  };
  const input = unlessEmpty(work.counted(fullTransaction(plan, applied, differences)));
  if (input !== undefined) await work.run(() => restore(iptables, { input, signal }));
  const after = input === undefined ? view : await work.run(() => readTables(iptables, signal));
  const difference = findDifference(after, applied);
  if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
  work.digests.learn(after);
  return applied;
}

/** The pieces, of which those up to the first that there is are computed at once; undefined where there is none. */
function unlessEmpty(pieces: Generator<string>): Iterable<string> | undefined {
  const first = pieces.next();
  return first.done === true ? undefined : startingWith(first.value, pieces);
}

function* startingWith(first: string, others: Iterable<string>): Generator<string> {
  yield first;
  yield* others;
}

interface ChangeRequest {
  readonly iptables: Iptables;
  readonly applied: AppliedChains;
  readonly changed: ReadonlySet<ServiceKey>;
  readonly signal: AbortSignal;
}

async function writeChange(request: ChangeRequest, work: Work): Promise<AppliedChains> {
  const { iptables, applied, changed, signal } = request;
  const servicePorts = new Map<ServiceKey, readonly FormattedServicePort[]>();
  for (const key of changed) servicePorts.set(key, formatService(work.plan, key));
  const change = applied.change(servicePorts);
  work.digests.noteWritten(change);
  const input = changeTransaction(change);
  if (input === '') return applied;
  try {
    await work.run(() => restore(iptables, { input: work.counted([input]), signal }));
    return applied;
  } catch (error) {
    await quarantineRefused({ iptables, keys: [...changed], error, signal }, work);
    return writeAll(iptables, work, signal);
  }
}

interface Refused {
  readonly iptables: Iptables;
  readonly keys: readonly ServiceKey[];
  readonly error: unknown;
  readonly signal: AbortSignal;
}

/** Finds who is to blame for a refused transaction; throws its error where nobody is. */
async function quarantineRefused({ iptables, keys, error, signal }: Refused, work: Work): Promise<void> {
  if (!isRefusal(error)) throw error;
  const attempt = (input: string): Promise<void> =>
    work.run(() => restore(iptables, { input: work.counted([input]), signal }));
  const accepts = async (some: readonly ServiceKey[]): Promise<boolean> => {
    try {
      await attempt(
        trialTransaction(
          work.plan.fixed,
          some.flatMap((key) => formatService(work.plan, key)),
        ),
      );
      return true;
    } catch (refusal) {
      if (isRefusal(refusal)) return false;
      throw refusal;
    }
  };
  const refused = await findRefused(keys, accepts);
  // Where more than one is refused and none is left, it is not the Services that are wrong: the rules that stand are
  // better than none.
  const leavesNone =
    refused !== undefined &&
    refused.length > 1 &&
    keys.every((key) => refused.includes(key) || work.plan.rulesOf(key).length === 0);
  if (refused === undefined || leavesNone) throw error;
  await attempt(trialRemovalTransaction());
  for (const key of refused)
    work.leaveOut(
      key,
      'KernelRefused',
      'the kernel refused the rules of this Service; it is tried again when the Service changes, and by every full sync',
    );
}

/** One sync: counts what it does, where it does it, and knows who is left out. */
class Work {
  readonly plan: Plan;
  readonly digests: ChainDigests;
  readonly #quarantine: Map<ServiceKey, QuarantinedService>;
  full = false;
  #servicePorts = 0;
  #lines = 0;
  /** Written, by table. */
  readonly #rules: Record<string, number> = { filter: 0, nat: 0, mangle: 0 };
  #commands = 0;

  constructor(plan: Plan, quarantine: Quarantine, digests: ChainDigests) {
    this.digests = digests;
    this.#quarantine = new Map(quarantine);
    const count = (servicePorts: ReturnType<Plan['rulesOf']>): typeof servicePorts => {
      this.#servicePorts += servicePorts.length;
      return servicePorts;
    };
    this.plan = {
      ...plan,
      rulesOf: (key) => (this.#quarantine.has(key) ? [] : count(plan.rulesOf(key))),
      onInvalidRule: (key, error) => {
        if (!(error instanceof InvalidRule)) throw error;
        this.leaveOut(key, 'InvalidRule', 'a rule of this Service would hold something that must not reach the kernel');
      },
    };
  }

  get quarantine(): Quarantine {
    return this.#quarantine;
  }

  leaveOut(service: ServiceKey, reason: string, message: string): void {
    this.#quarantine.set(service, { service, reason, message });
  }

  async run<T>(command: () => Promise<T>): Promise<T> {
    this.#commands += 1;
    return command();
  }

  *counted(pieces: Iterable<string>): Generator<string> {
    let table = '';
    for (const piece of pieces) {
      const lines = piece.split('\n');
      this.#lines += lines.length - 1;
      for (const line of lines) {
        if (line.startsWith('*')) table = line.slice(1);
        else if (line.startsWith('-A ') || line.startsWith('-I ')) this.#rules[table] = (this.#rules[table] ?? 0) + 1;
      }
      yield piece;
    }
  }

  result(applied: AppliedChains): SyncResult {
    const { services, endpoints, rulesHash, rulesByTable } = applied;
    const work = {
      full: this.full,
      servicePortsPlanned: this.#servicePorts,
      linesSent: this.#lines,
      commandsRun: this.#commands,
      rulesWritten: this.#rules,
    };
    return { ...work, services, endpoints, rulesHash, rulesByTable, quarantined: [...this.#quarantine.values()] };
  }
}
