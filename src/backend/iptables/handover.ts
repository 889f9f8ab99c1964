/**
 * The way back to kube-proxy: it knows no tree of chains, so it would leave one standing, and then could not delete a Service's chains that
 * the tree still leads to. What the tree holds goes into one chain, as kube-proxy has it, in one step and with nothing lost.
 */
import { SyncError } from '../backend.ts';
import { services } from '../shared/chains.ts';
import { isBucketChain } from '../shared/names.ts';
import type { VariantView } from './kernel.ts';
import { classified, restore } from './kernel.ts';
import { renderFlat } from './render.ts';

type Iptables = VariantView['iptables'];

/** Says what was removed; nothing where there is no tree. The agent must have been stopped. */
export async function handOver(variants: readonly VariantView[]): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables } of variants) removed.push(...(await flatten(iptables)));
  return removed;
}

async function flatten(iptables: Iptables): Promise<readonly string[]> {
  const chains = await readDispatch(iptables);
  const buckets = [...chains.keys()].filter(isBucketChain);
  if (buckets.length === 0) return [];
  const rules = buckets.flatMap((bucket) => chains.get(bucket) ?? []).filter(leadsToService);
  // The rule for NodePorts stays behind the others.
  const rest = (chains.get(services) ?? []).filter(leadsToService);
  await restore(iptables, { input: renderFlat([...rules.sort(), ...rest], buckets) });
  const left = [...(await readDispatch(iptables)).keys()].filter(isBucketChain);
  if (left.length > 0) throw new SyncError('VerificationFailed', `iptables-restore reported success, but chain ${left[0]} of table nat is still there`);
  return buckets.map((name) => `${iptables.variant} chain ${name} of table nat`);
}

/** The rules of the tree and of its root, as iptables-save words them, without `-A CHAIN`. */
async function readDispatch(iptables: Iptables): Promise<ReadonlyMap<string, readonly string[]>> {
  const chains = new Map<string, string[]>();
  let table = '';
  const read = (line: string): void => {
    if (line.startsWith('*')) table = line.slice(1);
    if (table !== 'nat') return;
    const [, declared] = /^:(\S+) /.exec(line) ?? [];
    if (declared !== undefined && (declared === services || isBucketChain(declared))) chains.set(declared, []);
    const [, name = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    chains.get(name)?.push(rule);
  };
  await classified('iptables-save', () => iptables.save(read));
  return chains;
}

function leadsToService(rule: string): boolean {
  return !isBucketChain(rule.split(' ').at(-1) ?? '');
}
