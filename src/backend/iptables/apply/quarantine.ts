/**
 * Finds the Services whose rules the kernel refuses, by trials in a chain that nothing leads to: no packet meets a rule
 * that is tried out, and nothing that serves goes away for it.
 */
import { isRefusal } from '../../../netfilter/errors.ts';
import type { ServiceKey } from '../../../model/service.ts';
import { findRefused } from '../../engine/bisect.ts';
import { formatService } from '../plan/format.ts';
import type { SyncWork } from './syncWork.ts';
import { trialRemovalTransaction, trialTransaction } from '../plan/transaction.ts';

export interface RefusedSync {
  /** What loading the rules threw. */
  readonly error: unknown;
  /** The Services that were to be written. */
  readonly keys: readonly ServiceKey[];
  readonly work: SyncWork;
  /** Loads a transaction; throws a SyncError. */
  readonly load: (input: string) => Promise<void>;
}

/**
 * Leaves the refused Services out of the sync's plan, and takes the chain of the trials away. Throws the error of the
 * sync where it is no refusal, where no single Service is to blame, or where several are and none would be left.
 */
export async function quarantineRefused({ error, keys, work, load }: RefusedSync): Promise<void> {
  if (!isRefusal(error)) throw error;
  const accepts = async (some: readonly ServiceKey[]): Promise<boolean> => {
    try {
      const servicePorts = some.flatMap((key) => formatService(work.plan, key));
      await load(trialTransaction(work.plan.fixed, servicePorts));
      return true;
    } catch (refusal) {
      if (isRefusal(refusal)) return false;
      throw refusal;
    }
  };
  const refused = await findRefused(keys, accepts);
  if (refused === undefined || leavesNone(refused, keys, work)) throw error;
  await load(trialRemovalTransaction());
  for (const key of refused) work.leaveOut(key, 'KernelRefused', message);
}

const message =
  'the kernel refused the rules of this Service; it is tried again when the Service changes, and by every full sync';

/**
 * Where more than one is refused and none is left, it is not the Services that are wrong: the rules that stand are
 * better than none.
 */
function leavesNone(refused: readonly ServiceKey[], keys: readonly ServiceKey[], { plan }: SyncWork): boolean {
  return refused.length > 1 && keys.every((key) => refused.includes(key) || plan.rulesOf(key).length === 0);
}
