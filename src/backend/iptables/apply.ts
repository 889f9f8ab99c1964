/**
 * The iptables backend: brings plans into the kernel by iptables-restore and makes sure that they arrived.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { Iptables, IptablesHost } from '../../system/iptables.ts';
import { giveMemoryBack } from '../../system/memory.ts';
import type {
  Backend,
  PacketCounts,
  QuarantinedService,
  Refusal,
  Retired,
  SyncRequest,
  SyncResult,
} from '../backend.ts';
import { SyncError, isRefusal, verificationFailed } from '../../netfilter/errors.ts';
import { findRefused } from '../shared/bisect.ts';
import { planScope } from '../shared/context.ts';
import type { Quarantine } from '../shared/quarantine.ts';
import { withoutKeys } from '../shared/quarantine.ts';
import { ChainTexts } from './chainTexts.ts';
import { handOver } from './handover.ts';
import { countInvalidDropped, readKernel } from './readTables.ts';
import { differencesOf, findDifference, hasTree } from './compareTables.ts';
import { readVariants, selectIptables } from './variant.ts';
import { restore, takesBlocks } from '../../netfilter/xtables/restore.ts';
import { Ledger } from './ledger.ts';
import type { Plan } from './plan.ts';
import { isBrief, planState } from './plan.ts';
import type { PrintedFragment } from './print.ts';
import { printService } from './print.ts';
import { removeAll, retire } from './removal.ts';
import { UnprintableRule } from '../shared/rule.ts';
import { renderChange, renderFull, renderIptables, renderTrial, renderTrialEnd } from './render.ts';
import { restoreArguments } from '../../netfilter/xtables/restore.ts';
import { specimenState } from './specimen.ts';

/** What was committed last, and where. */
interface Applied {
  readonly scope: string;
  /** Decided by every full sync anew, for changes must not rewrite what they are not about. */
  readonly brief: boolean;
  readonly ledger: Ledger;
  readonly texts: ChainTexts;
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
      const { input } = renderIptables(specimenState(config, this.#family));
      await restore(iptables, { args: ['--test', ...restoreArguments], input: [input] });
      return undefined;
    } catch (error) {
      if (isRefusal(error) || error instanceof UnprintableRule) return configRefusal;
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
    const brief = isPartial ? before.brief : isBrief(state);
    const work = isPartial
      ? new Work(planState(state, brief), withoutKeys(before.quarantine, changed), before.texts)
      : new Work(planAll(state, brief), new Map(), new ChainTexts());
    const ledger = isPartial
      ? await writeChange({ iptables, ledger: before.ledger, changed, signal }, work)
      : await writeAll(iptables, work, signal);
    this.#applied = { scope, brief, ledger, texts: work.texts, iptables, quarantine: work.quarantine };
    // Make before break: the rules that another setting put into the other variant go when those of this one stand.
    if (before !== undefined && before.iptables.variant !== iptables.variant) await removeAll(before.iptables);
    if (work.full && ledger.services >= manyServices) giveMemoryBack();
    return work.result(ledger);
  }

  async findDrift(signal: AbortSignal): Promise<string | undefined> {
    const applied = this.#applied;
    if (applied === undefined) return undefined;
    const view = await readKernel(applied.iptables, signal);
    const difference = findDifference(view, applied.ledger, applied.texts);
    if (difference === undefined) applied.texts.learn(view);
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

  async retire(): Promise<Retired> {
    this.#applied = undefined;
    return { removed: await retire(this.#family, this.#host), draining: 0 };
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
 * Throws UnprintableRule where the configuration itself cannot be written: else every Service would be left out for it.
 */
function planAll(state: ServiceState, brief: boolean): Plan {
  renderIptables(specimenState(state.config, state.family));
  return planState(state, brief);
}

/** Writes every rule but those of Services that the kernel refuses. */
async function writeAll(iptables: Iptables, work: Work, signal: AbortSignal): Promise<Ledger> {
  work.full = true;
  try {
    return await tryAll(iptables, work, signal);
  } catch (error) {
    await quarantineRefused({ iptables, keys: [...work.plan.keys()], error, signal }, work);
    return tryAll(iptables, work, signal);
  }
}

/** Writes every rule that does not stand there already, and believes nobody that it worked. */
async function tryAll(iptables: Iptables, work: Work, signal: AbortSignal): Promise<Ledger> {
  const { plan } = work;
  const view = await work.run(() => readKernel(iptables, signal));
  const ledger = new Ledger(plan.fixed, hasTree(view));
  const differences = {
    ...differencesOf(iptables, view, ledger),
    takesBlocks: iptables.variant === 'nft' && (await work.run(() => takesBlocks(iptables, signal))),
  };
  const input = unlessEmpty(work.counted(renderFull(plan, ledger, differences)));
  if (input !== undefined) await work.run(() => restore(iptables, { input, signal }));
  const after = input === undefined ? view : await work.run(() => readKernel(iptables, signal));
  const difference = findDifference(after, ledger);
  if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
  work.texts.learn(after);
  return ledger;
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
  readonly ledger: Ledger;
  readonly changed: ReadonlySet<ServiceKey>;
  readonly signal: AbortSignal;
}

async function writeChange(request: ChangeRequest, work: Work): Promise<Ledger> {
  const { iptables, ledger, changed, signal } = request;
  const fragments = new Map<ServiceKey, readonly PrintedFragment[]>();
  for (const key of changed) fragments.set(key, printService(work.plan, key));
  const change = ledger.change(fragments);
  work.texts.noteWritten(change);
  const input = renderChange(change);
  if (input === '') return ledger;
  try {
    await work.run(() => restore(iptables, { input: work.counted([input]), signal }));
    return ledger;
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
        renderTrial(
          work.plan.fixed,
          some.flatMap((key) => printService(work.plan, key)),
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
    keys.every((key) => refused.includes(key) || work.plan.fragmentsOf(key).length === 0);
  if (refused === undefined || leavesNone) throw error;
  await attempt(renderTrialEnd());
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
  readonly texts: ChainTexts;
  readonly #quarantine: Map<ServiceKey, QuarantinedService>;
  full = false;
  #fragments = 0;
  #lines = 0;
  /** Written, by table. */
  readonly #rules: Record<string, number> = { filter: 0, nat: 0, mangle: 0 };
  #commands = 0;

  constructor(plan: Plan, quarantine: Quarantine, texts: ChainTexts) {
    this.texts = texts;
    this.#quarantine = new Map(quarantine);
    const count = (fragments: ReturnType<Plan['fragmentsOf']>): typeof fragments => {
      this.#fragments += fragments.length;
      return fragments;
    };
    this.plan = {
      ...plan,
      fragmentsOf: (key) => (this.#quarantine.has(key) ? [] : count(plan.fragmentsOf(key))),
      onUnprintable: (key, error) => {
        if (!(error instanceof UnprintableRule)) throw error;
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

  result(ledger: Ledger): SyncResult {
    const { services, endpoints, rulesHash, rulesByTable } = ledger;
    const work = {
      full: this.full,
      fragmentsComputed: this.#fragments,
      linesSent: this.#lines,
      commandsRun: this.#commands,
      rulesWritten: this.#rules,
    };
    return { ...work, services, endpoints, rulesHash, rulesByTable, quarantined: [...this.#quarantine.values()] };
  }
}
