/**
 * The way back to kube-proxy: it knows no tree of chains, so it would leave one standing, and then could not delete a
 * Service's chains that the tree still leads to. What the tree holds goes into one chain, as kube-proxy has it, in one
 * step and with nothing lost. The chain in which rules are tried out stands in the way just so, where an agent was
 * killed before it took it down. The check of unused cluster IPs, which it does not know either, would stay for good.
 */
import { runTool, verificationFailed } from '../../../netfilter/errors.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import type { Table } from '../../../netfilter/xtables/chain.ts';
import { clusterIPsCheck, clusterIPsReject, services, trial } from '../../engine/kubeChains.ts';
import { isBucketChain } from '../../engine/serviceRules/chainNames.ts';
import {
  checkRemovalTransaction,
  flatDispatchTransaction,
  trialRemovalTransaction,
} from '../../engine/serviceRules/transaction.ts';
import type { ExistingChain } from '../../../netfilter/xtables/tables.ts';
import { readVariants, type VariantView, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { readTables } from '../../../netfilter/xtables/tools/readTables.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';

/**
 * Returns the names of what was removed; none where nothing stands in kube-proxy's way. The agent must have been
 * stopped. Throws a SyncError, also where a chain is still there afterwards.
 */
export async function handOver(node: XtablesNode): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const variant of await readVariants(node)) removed.push(...(await clearTheWay(variant)));
  return removed;
}

async function clearTheWay({ iptables, view }: VariantView): Promise<readonly string[]> {
  const obstacles = [...view.chains.values()].filter(isObstacle);
  if (obstacles.length === 0) return [];
  if (obstacles.some(({ name }) => name === trial)) await restore(iptables, { input: [trialRemovalTransaction()] });
  if (obstacles.some(isBucket)) await flatten(iptables);
  const check = obstacles.filter(isCheck).map(({ name }) => name);
  if (check.length > 0) await removeCheck(iptables, check);
  const left = [...(await readTables(iptables, view.ownership)).chains.values()].find(isObstacle);
  if (left !== undefined)
    throw verificationFailed('iptables-restore', `chain ${left.name} of table ${left.table} is still there`);
  return obstacles.map(({ table, name }) => `${iptables.variant} chain ${name} of table ${table}`);
}

function isObstacle(chain: ExistingChain): boolean {
  return chain.name === trial || isBucket(chain) || isCheck(chain);
}

/** Of the tree of dispatch. */
function isBucket({ table, name }: ExistingChain): boolean {
  return table === 'nat' && isBucketChain(name);
}

function isCheck({ table, name }: ExistingChain): boolean {
  return table === 'filter' && (name === clusterIPsCheck || name === clusterIPsReject || isBucketChain(name));
}

async function removeCheck(iptables: Iptables, chains: readonly string[]): Promise<void> {
  const dispatch = (await readDispatch(iptables, 'filter')).get(services) ?? [];
  const rules = dispatch.filter((rule) => rule.endsWith(`-j ${clusterIPsCheck}`));
  await restore(iptables, { input: [checkRemovalTransaction(rules, chains)] });
}

async function flatten(iptables: Iptables): Promise<void> {
  const chains = await readDispatch(iptables, 'nat');
  const buckets = [...chains.keys()].filter(isBucketChain);
  const rules = buckets.flatMap((bucket) => chains.get(bucket) ?? []).filter(leadsToService);
  // The rule for NodePorts stays behind the others.
  const rest = (chains.get(services) ?? []).filter(leadsToService);
  await restore(iptables, { input: flatDispatchTransaction([...rules.sort(), ...rest], buckets) });
}

/** The rules of a tree and of KUBE-SERVICES, as iptables-save words them, without `-A CHAIN`. */
async function readDispatch(iptables: Iptables, wanted: Table): Promise<ReadonlyMap<string, readonly string[]>> {
  const chains = new Map<string, string[]>();
  let table = '';
  const read = (line: string): void => {
    if (line.startsWith('*')) table = line.slice(1);
    if (table !== wanted) return;
    const [, declared] = /^:(\S+) /.exec(line) ?? [];
    if (declared !== undefined && (declared === services || isBucketChain(declared))) chains.set(declared, []);
    const [, name = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    chains.get(name)?.push(rule);
  };
  await runTool('iptables-save', () => iptables.save(read, undefined, wanted));
  return chains;
}

function leadsToService(rule: string): boolean {
  return !isBucketChain(rule.split(' ').at(-1) ?? '');
}
