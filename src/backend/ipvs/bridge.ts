/**
 * The rules that stand beside another mode's as long as addresses are on kube-ipvs0: from before the first rule of that
 * mode until the last address is gone. No full sync takes them for its own.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { Iptables, IptablesHost } from '../../system/iptables.ts';
import type { KernelView } from '../iptables/tables.ts';
import { runTool } from '../../netfilter/errors.ts';
import { differencesOf, findDifference, ownJumps } from '../iptables/compareTables.ts';
import { readKernel } from '../iptables/readTables.ts';
import { restore } from '../../netfilter/xtables/restore.ts';
import { selectIptables } from '../iptables/variant.ts';
import { Ledger } from '../iptables/ledger.ts';
import { renderRemoval } from '../iptables/render.ts';
import { bridge } from '../shared/chains.ts';
import { findTools } from './kernel.ts';
import { readRemains } from './remains.ts';
import { printRules } from './render.ts';
import { bridgeSets, planBridge } from './rules.ts';
import { firstMaxElements, setDefinition, setName } from './sets.ts';

/** Puts it up where an address of this mode stands. Throws a SyncError. */
export async function buildBridge(family: IPFamily, host: IptablesHost, signal: AbortSignal): Promise<void> {
  const { addresses, sets } = await readRemains(family, host);
  if (addresses.size === 0) return;
  const { ipset } = await findTools(host);
  const missing = bridgeSets
    .filter((id) => !sets.has(id))
    .map((id) => `create ${setName(id, family)} ${setDefinition(id, family, firstMaxElements)}\n`);
  if (missing.length > 0) await runTool('ipset', () => ipset.restore(missing, signal));
  await putUp(await selectIptables(family, {}, host), family, signal);
}

async function putUp(iptables: Iptables, family: IPFamily, signal: AbortSignal): Promise<void> {
  const plan = planBridge({ family });
  const ledger = new Ledger(plan);
  const view = await readKernel(iptables, signal);
  if (findDifference(view, ledger) === undefined) return;
  const differences = { ...differencesOf(iptables, view, ledger), staleJumps: [], stale: () => [] };
  await restore(iptables, { input: [printRules(plan, ledger, differences)], signal });
}

/** The input that takes it away; undefined where it does not stand. */
export function findBridge(view: KernelView): string | undefined {
  const jumps = ownJumps(view).filter(({ to }) => to === bridge);
  const chains = [...view.chains.values()].filter(({ name }) => name === bridge);
  const input = renderRemoval(
    jumps,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  return input === '' ? undefined : input;
}

export async function removeBridge(
  iptables: Iptables,
  view: KernelView,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const input = findBridge(view);
  if (input === undefined) return [];
  await restore(iptables, { input: [input], ...(signal && { signal }) });
  return [`${iptables.variant} chains ${bridge}`];
}
