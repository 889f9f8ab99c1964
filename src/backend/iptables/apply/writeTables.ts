/**
 * Writes a plan into the kernel's tables, whole or as a change. A full write is read back, because no tool is believed
 * that it worked; what the kernel refuses is found and left out, and then everything is written.
 */
import { verificationFailed } from '../../../netfilter/errors.ts';
import { restore, takesBlocks } from '../../../netfilter/xtables/restore.ts';
import type { ServiceKey } from '../../../model/service.ts';
import type { Iptables } from '../../../netfilter/xtables/iptables.ts';
import { AppliedChains } from '../plan/appliedChains.ts';
import { differencesOf, findDifference, hasTree } from '../../../netfilter/xtables/compareTables.ts';
import type { FormattedServicePort } from '../plan/format.ts';
import { formatService } from '../plan/format.ts';
import { quarantineRefused } from './quarantine.ts';
import { readTables } from '../../../netfilter/xtables/readTables.ts';
import type { SyncWork } from './syncWork.ts';
import { changeTransaction, fullTransaction } from '../plan/transaction.ts';

export interface TableWrite {
  readonly iptables: Iptables;
  readonly work: SyncWork;
  readonly signal: AbortSignal;
}

/**
 * Makes the tables equal to the plan, whatever they hold, but for Services that the kernel refuses: these are in
 * `work.quarantine` afterwards. Returns what the kernel holds then. Throws a SyncError; what the tables hold is then
 * unknown.
 */
export async function writeAll(write: TableWrite): Promise<AppliedChains> {
  const { work } = write;
  work.isFull = true;
  try {
    return await tryAll(write);
  } catch (error) {
    await leaveOutRefused(error, [...work.plan.keys()], write);
    return tryAll(write);
  }
}

/** Writes each chain that does not hold its very rules already, and reads everything back. */
async function tryAll({ iptables, work, signal }: TableWrite): Promise<AppliedChains> {
  const { plan } = work;
  const view = await work.run(() => readTables(iptables, signal));
  const chains = new AppliedChains(plan.fixed, hasTree(view));
  const differences = {
    ...differencesOf(iptables, view, chains),
    takesBlocks: iptables.variant === 'nft' && (await work.run(() => takesBlocks(iptables, signal))),
  };
  const input = unlessEmpty(work.counted(fullTransaction(plan, chains, differences)));
  if (input !== undefined) await work.run(() => restore(iptables, { input, signal }));
  const after = input === undefined ? view : await work.run(() => readTables(iptables, signal));
  const difference = findDifference(after, chains);
  if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
  work.digests.learn(after);
  return chains;
}

/**
 * Writes what is different for these Services, in one run of the tool, and does not read it back. `chains` is what the
 * kernel holds before, and is changed on the way: after an error it describes nothing. Where the kernel refuses a
 * Service, everything is written without it.
 */
export async function writeChange(
  chains: AppliedChains,
  changed: ReadonlySet<ServiceKey>,
  write: TableWrite,
): Promise<AppliedChains> {
  const { work } = write;
  const servicePorts = new Map<ServiceKey, readonly FormattedServicePort[]>();
  for (const key of changed) servicePorts.set(key, formatService(work.plan, key));
  const changeSet = chains.change(servicePorts);
  work.digests.noteWritten(changeSet);
  const input = changeTransaction(changeSet);
  if (input === '') return chains;
  try {
    await load(input, write);
    return chains;
  } catch (error) {
    await leaveOutRefused(error, [...changed], write);
    return writeAll(write);
  }
}

function leaveOutRefused(error: unknown, keys: readonly ServiceKey[], write: TableWrite): Promise<void> {
  return quarantineRefused({ error, keys, work: write.work, load: (input) => load(input, write) });
}

function load(input: string, { iptables, work, signal }: TableWrite): Promise<void> {
  return work.run(() => restore(iptables, { input: work.counted([input]), signal }));
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
