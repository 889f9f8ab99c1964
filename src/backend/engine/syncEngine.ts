/**
 * @module The skeleton of a sync, one for all modes. A mode says how its objects are planned, written and tried out
 * (ModeWriter); how much is written, what is known afterwards and which Services are left out is decided here.
 *
 * The model. The caller gives a ServiceState and the keys of the Services that changed, or 'all'. When `sync` returns,
 * the kernel holds what the state asks for in this IP family, but for the Services in `quarantined`. When it throws,
 * the kernel may hold anything between before and after; the next sync, whatever it is asked for, writes everything.
 *
 * What it is to do:
 *
 * 1. Cost follows the change. A sync of some Services plans and writes these alone, and does not read the kernel.
 * 2. A full sync believes nobody. It makes the kernel equal to the state whatever stands there, and reads it back.
 * 3. One Service that the kernel refuses costs no other Service anything.
 * 4. Objects that stand are better than none: a refusal never takes all Services away.
 *
 * How:
 *
 * 1. What was applied last is only right for the same configuration, node (`planScope`) and programs, so anything else
 *    is a full sync.
 * 2. It is forgotten before a sync writes, and known again when that has succeeded. `writeAll` reads back.
 * 3. A refusal is bisected by trials (`bisect.ts`); then everything is written without the Services to blame. Only what
 *    a tool refuses counts, never a tool that is missing, slow or out of resources. A Service whose objects may not reach
 *    a tool at all is left out while it is planned (`syncWork.ts`). The search ends after some seconds, for others wait:
 *    who is not known to be accepted by then is left out too, and the next sync goes on. Of what is known to be
 *    refused, a full sync tries some again and leaves the others out from the start (`refusals.ts`).
 * 4. Where more than one Service is refused and none would be left, it is not the Services that are wrong: the sync
 *    fails.
 *
 * Concurrency: no lock is held. The backend that owns it is called by one caller at a time.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceSize } from '../../model/serviceSize.ts';
import { isRefusal, isToolFailure } from '../../netfilter/errors.ts';
import type { SyncRequest, SyncResult } from '../backend.ts';
import { findRefused, type Verdict } from './bisect.ts';
import { planScope } from './nodeTraffic.ts';
import { type Quarantine, withoutKeys } from './quarantine.ts';
import { Refusals } from './refusals.ts';
import { type Holdings, SyncWork } from './syncWork.ts';

/** How a mode writes. All methods throw SyncErrors. */
export interface ModeWriter<Programs, Applied> {
  /** What the kernel may refuse of a Service, in words for a status: `rules`. */
  readonly objects: string;
  /** How many objects it makes in the kernel of a Service at most, up to details that do not multiply. */
  objectsOf(size: ServiceSize): number;
  /** What the configuration is written with here: the same object again as long as it is the same. */
  open(config: NodeConfig): Promise<Programs>;
  /** Makes the kernel equal to the work's state whatever it holds, and reads it back. Returns what it holds then. */
  writeAll(programs: Programs, work: SyncWork): Promise<Applied>;
  /**
   * Writes what is different for these Services, without reading it back. `applied` is what the kernel holds before,
   * and is changed on the way: after an error it describes nothing. Of a Service that would hold up all others it may
   * write a part and name it in `work.unfinished`; it goes on when it is called with it again.
   */
  writeChange(applied: Applied, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void>;
  /**
   * Has the kernel judge the objects of some Services. Nothing that serves goes away for it, and no packet takes
   * another way.
   */
  tryOut(some: readonly ServiceKey[], programs: Programs, work: SyncWork): Promise<void>;
  /** Takes away what trials leave beside what serves; without it they leave nothing. */
  endTrials?(programs: Programs, work: SyncWork): Promise<void>;
  /** Takes everything away that was written with other programs before: what was written since stands. */
  removeOf?(programs: Programs): Promise<void>;
  holdingsOf(applied: Applied): Holdings;
}

/** What was committed last, and from what. */
interface Committed<Programs, Applied> {
  readonly scope: string;
  readonly programs: Programs;
  readonly applied: Applied;
  /** What is left out of it. */
  readonly quarantine: Quarantine;
}

const defaultSearchMs = 2000;

export interface EngineOptions {
  /** How long a sync looks for the Services to blame while all others wait, in ms; default 2,000. */
  readonly searchMs?: number;
}

/** What a step of a sync works with. */
interface Step<Programs> {
  readonly programs: Programs;
  readonly work: SyncWork;
}

/** Of one mode in one IP family. */
export class SyncEngine<Programs, Applied> {
  readonly #writer: ModeWriter<Programs, Applied>;
  readonly #searchMs: number;
  #committed: Committed<Programs, Applied> | undefined;
  readonly #refusals = new Refusals();
  /** Those that the last search did not come to. */
  #untried: ReadonlySet<ServiceKey> = new Set();
  /** Of the syncs that `#refusals` is about: what it depends on whether a Service is refused. */
  #refusalScope = '';
  #programs: Programs | undefined;
  /** Of what was written with these, something may stand: also where the sync failed. */
  readonly #written = new Set<Programs>();

  constructor(writer: ModeWriter<Programs, Applied>, { searchMs = defaultSearchMs }: EngineOptions = {}) {
    this.#writer = writer;
    this.#searchMs = searchMs;
  }

  /** What the kernel holds; undefined where that is not known. */
  get applied(): Applied | undefined {
    return this.#committed?.applied;
  }

  /** The next sync is a full one. */
  forget(): void {
    this.#committed = undefined;
    this.#written.clear();
  }

  /** Runs something else that writes to the kernel: where it throws, what the kernel holds is not known. */
  async write(action: () => Promise<void>): Promise<void> {
    const committed = this.#committed;
    this.#committed = undefined;
    await action();
    this.#committed = committed;
  }

  async sync({ state, changed, signal }: SyncRequest): Promise<SyncResult> {
    const programs = await this.#writer.open(state.config);
    const scope = planScope(state);
    const before = this.#committed;
    this.#committed = undefined;
    const isPartial = changed !== 'all' && before?.scope === scope && before.programs === programs;
    // Which addresses are another proxy's changes no Service's own objects.
    const refusalScope = planScope({ ...state, clusterIPRanges: { ...state.clusterIPRanges, foreign: [] } });
    const isSame = refusalScope === this.#refusalScope && programs === this.#programs;
    this.#forgetRefusals({ state, changed, isSame });
    [this.#refusalScope, this.#programs] = [refusalScope, programs];
    const quarantine = isPartial ? withoutKeys(before.quarantine, changed) : this.#refusals.quarantine;
    const step = {
      programs,
      work: new SyncWork({ state, quarantine, signal, objectsOf: (size) => this.#writer.objectsOf(size) }),
    };
    const { work } = step;
    this.#written.add(programs);
    const applied = isPartial ? await this.#writeChange(before, changed, step) : await this.#writeEverything(step);
    this.#committed = { scope, programs, applied, quarantine: work.quarantine };
    await this.#removeOfOthers(programs);
    return work.resultOf(this.#writer.holdingsOf(applied));
  }

  /**
   * Make before break: what was written with other programs goes when all of this one stands, and is tried again by the
   * next sync where that fails.
   */
  async #removeOfOthers(programs: Programs): Promise<void> {
    for (const others of [...this.#written].filter((each) => each !== programs)) {
      await this.#writer.removeOf?.(others);
      this.#written.delete(others);
    }
  }

  /** Forgets what is known of Services that ask for something else now, or are written in another way (`isSame`). */
  #forgetRefusals({ state, changed, isSame }: Pick<SyncRequest, 'state' | 'changed'> & { isSame: boolean }): void {
    if (!isSame) this.#refusals.forgetAll();
    else if (changed === 'all') this.#refusals.forgetChanged((key) => state.ports(key));
    else this.#refusals.forget(changed);
  }

  /** With those of the Services known to be refused that are accepted now. */
  async #writeEverything(step: Step<Programs>): Promise<Applied> {
    await this.#retry(this.#refusals.due, step);
    return this.#writeAll(step);
  }

  async #writeAll(step: Step<Programs>): Promise<Applied> {
    const { programs, work } = step;
    work.isFull = true;
    try {
      return await this.#writer.writeAll(programs, work);
    } catch (error) {
      if (!(await this.#leaveOutRefused(error, [...work.state.keys()], step))) throw error;
      return this.#writer.writeAll(programs, work);
    }
  }

  async #writeChange(
    { applied }: Committed<Programs, Applied>,
    changed: ReadonlySet<ServiceKey>,
    step: Step<Programs>,
  ): Promise<Applied> {
    try {
      await this.#writer.writeChange(applied, changed, step.work);
      return applied;
    } catch (error) {
      if (!isToolFailure(error)) throw error;
      // Where no Service is to blame, the kernel is not as it was left; a full write begins with what it is.
      if (isRefusal(error)) await this.#leaveOutRefused(error, [...changed], step);
      return this.#writeAll(step);
    }
  }

  /** Whether there are Services to blame and others are left. Throws the error where it is no refusal. */
  async #leaveOutRefused(error: unknown, keys: readonly ServiceKey[], step: Step<Programs>): Promise<boolean> {
    if (!isRefusal(error)) throw error;
    const { work } = step;
    const suspects = keys.filter((key) => !work.quarantine.has(key));
    // What served before, or is new, does not wait for those that were not tried last time.
    const isUntried = (key: ServiceKey): boolean => this.#untried.has(key);
    const groups = [suspects.filter((key) => !isUntried(key)), suspects.filter(isUntried)];
    const verdict = await this.#search(groups, step);
    this.#untried = new Set(verdict?.untried);
    if (verdict === undefined || leavesNone(verdict, keys, work)) return false;
    await this.#writer.endTrials?.(step.programs, work);
    for (const key of verdict.refused) this.#leaveOut(key, work);
    for (const key of verdict.untried) work.leaveOutUntried(key);
    return true;
  }

  /** Has the kernel judge Services again that are left out. */
  async #retry(due: readonly ServiceKey[], step: Step<Programs>): Promise<void> {
    if (due.length === 0) return;
    const { programs, work } = step;
    work.readmit(due);
    const refused = (await this.#accepts(due, step)) ? [] : await this.#stillRefused(due, step);
    await this.#writer.endTrials?.(programs, work);
    this.#refusals.forget(due);
    for (const key of refused) this.#leaveOut(key, work);
  }

  /** Also those of which it is not known when the time is over. */
  async #stillRefused(due: readonly ServiceKey[], step: Step<Programs>): Promise<readonly ServiceKey[]> {
    const verdict = await this.#search([due], step);
    return verdict === undefined ? due : [...verdict.refused, ...verdict.untried];
  }

  #search(groups: readonly (readonly ServiceKey[])[], step: Step<Programs>): Promise<Verdict | undefined> {
    const deadline = performance.now() + this.#searchMs;
    const accepts = (some: readonly ServiceKey[]): Promise<boolean> => this.#accepts(some, step);
    return findRefused(groups, accepts, () => performance.now() >= deadline);
  }

  async #accepts(some: readonly ServiceKey[], { programs, work }: Step<Programs>): Promise<boolean> {
    try {
      await this.#writer.tryOut(some, programs, work);
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  #leaveOut(service: ServiceKey, work: SyncWork): void {
    const message = `the kernel refused the ${this.#writer.objects} of this Service; it is tried again when the Service changes, and by full syncs, 20 of such Services at a time`;
    this.#refusals.add({ service, reason: 'KernelRefused', message }, work.state.ports(service));
    work.leaveOut(service, 'KernelRefused', message);
  }
}

function leavesNone({ refused, untried }: Verdict, keys: readonly ServiceKey[], work: SyncWork): boolean {
  const blamed = new Set([...refused, ...untried]);
  return blamed.size > 1 && keys.every((key) => blamed.has(key) || work.planned(key, (ports) => ports).length === 0);
}
