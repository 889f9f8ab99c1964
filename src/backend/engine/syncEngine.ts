/**
 * @module The skeleton of a sync, one for all modes. A mode says how its objects are planned, written and tried out
 * (ModeWriter); how much is written, what is known afterwards and which Services are left out is decided here.
 *
 * The model. The caller gives a ServiceState and the keys of the Services that changed, or 'all'. When `sync` returns,
 * the kernel holds what the state asks for in this IP family, but for the Services in `quarantined`. When it throws, the
 * kernel may hold anything between before and after; the next sync, whatever it is asked for, writes everything.
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
 *    a tool at all is left out while it is planned (`syncWork.ts`).
 * 4. Where more than one Service is refused and none would be left, it is not the Services that are wrong: the sync
 *    fails.
 *
 * Concurrency: no lock is held. The backend that owns it is called by one caller at a time.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { ServiceKey } from '../../model/service.ts';
import { isRefusal } from '../../netfilter/errors.ts';
import type { SyncRequest, SyncResult } from '../backend.ts';
import { findRefused } from './bisect.ts';
import { planScope } from './nodeTraffic.ts';
import { type Quarantine, withoutKeys } from './quarantine.ts';
import { type Holdings, SyncWork } from './syncWork.ts';

/** How a mode writes. All methods throw SyncErrors. */
export interface ModeWriter<Programs, Applied> {
  /** What the kernel may refuse of a Service, in words for a status: `rules`. */
  readonly objects: string;
  /** What the configuration is written with here: the same object again as long as it is the same. */
  open(config: NodeConfig): Promise<Programs>;
  /** Makes the kernel equal to the work's state whatever it holds, and reads it back. Returns what it holds then. */
  writeAll(programs: Programs, work: SyncWork): Promise<Applied>;
  /**
   * Writes what is different for these Services, without reading it back. `applied` is what the kernel holds before, and
   * is changed on the way: after an error it describes nothing.
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

/** Of one mode in one IP family. */
export class SyncEngine<Programs, Applied> {
  readonly #writer: ModeWriter<Programs, Applied>;
  #committed: Committed<Programs, Applied> | undefined;

  constructor(writer: ModeWriter<Programs, Applied>) {
    this.#writer = writer;
  }

  /** What the kernel holds; undefined where that is not known. */
  get applied(): Applied | undefined {
    return this.#committed?.applied;
  }

  /** The next sync is a full one. */
  forget(): void {
    this.#committed = undefined;
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
    const quarantine = isPartial ? withoutKeys(before.quarantine, changed) : new Map();
    const work = new SyncWork({ state, quarantine, signal });
    const applied = isPartial ? await this.#writeChange(before, changed, work) : await this.#writeAll(programs, work);
    this.#committed = { scope, programs, applied, quarantine: work.quarantine };
    // Make before break: what was written with other programs goes when all of this one stands.
    if (before !== undefined && before.programs !== programs) await this.#writer.removeOf?.(before.programs);
    return work.resultOf(this.#writer.holdingsOf(applied));
  }

  async #writeAll(programs: Programs, work: SyncWork): Promise<Applied> {
    work.isFull = true;
    try {
      return await this.#writer.writeAll(programs, work);
    } catch (error) {
      await this.#leaveOutRefused(error, [...work.state.keys()], { programs, work });
      return this.#writer.writeAll(programs, work);
    }
  }

  async #writeChange(
    { programs, applied }: Committed<Programs, Applied>,
    changed: ReadonlySet<ServiceKey>,
    work: SyncWork,
  ): Promise<Applied> {
    try {
      await this.#writer.writeChange(applied, changed, work);
      return applied;
    } catch (error) {
      await this.#leaveOutRefused(error, [...changed], { programs, work });
      return this.#writeAll(programs, work);
    }
  }

  /** Throws the error where it is no refusal, where no single Service is to blame, or where none would be left. */
  async #leaveOutRefused(
    error: unknown,
    keys: readonly ServiceKey[],
    { programs, work }: { readonly programs: Programs; readonly work: SyncWork },
  ): Promise<void> {
    if (!isRefusal(error)) throw error;
    const { objects } = this.#writer;
    const accepts = async (some: readonly ServiceKey[]): Promise<boolean> => {
      try {
        await this.#writer.tryOut(some, programs, work);
        return true;
      } catch (refusal) {
        if (isRefusal(refusal)) return false;
        throw refusal;
      }
    };
    const refused = await findRefused(keys, accepts);
    if (refused === undefined || leavesNone(refused, keys, work)) throw error;
    await this.#writer.endTrials?.(programs, work);
    for (const key of refused)
      work.leaveOut(
        key,
        'KernelRefused',
        `the kernel refused the ${objects} of this Service; it is tried again when the Service changes, and by every full sync`,
      );
  }
}

function leavesNone(refused: readonly ServiceKey[], keys: readonly ServiceKey[], work: SyncWork): boolean {
  return (
    refused.length > 1 && keys.every((key) => refused.includes(key) || work.planned(key, (ports) => ports).length === 0)
  );
}
