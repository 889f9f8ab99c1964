/**
 * Reads the kernel's tables in one pass over `iptables-save`.
 */
import { runTool } from '../errors.ts';
import type { Iptables } from './iptables.ts';
import type { ChainId, Table } from '../../backend/engine/kubeChains.ts';
import { forward, isOwnChain } from '../../backend/engine/kubeChains.ts';
import { digestOfSaveFormat } from './saveFormat.ts';
import { chainKey, type TablesView, type Reference, type ExistingChain } from './tables.ts';

const tables: readonly Table[] = ['filter', 'nat', 'mangle'];
const kubeletMarks: ReadonlySet<string> = new Set(['KUBE-KUBELET-CANARY', 'KUBE-IPTABLES-HINT']);
const quotedText = /"(?:[^"\\]|\\.)*"/g;

/** What the kernel holds of ours, in all three tables. Throws a SyncError. */
export async function readTables(iptables: Iptables, signal?: AbortSignal): Promise<TablesView> {
  const reader = new SaveReader();
  await runTool('iptables-save', () => iptables.save((line) => reader.read(line), signal));
  return reader;
}

const dropsInvalid = new RegExp(String.raw`^\[(\d+):\d+\] -A ${forward} -m conntrack --ctstate INVALID -j DROP$`);

/**
 * Number of packets of no connection that were dropped since the rule for them was written; 0 where
 * `conntrack.tcpBeLiberal` leaves it out. Throws a SyncError.
 */
export async function countInvalidDropped(iptables: Iptables, signal: AbortSignal): Promise<number> {
  let packets = 0;
  const read = (line: string): void => {
    packets += Number(dropsInvalid.exec(line)?.[1] ?? 0);
  };
  await runTool('iptables-save', () => iptables.counters('filter', read, signal));
  return packets;
}

/** Takes the lines of iptables-save one by one. */
class SaveReader implements TablesView {
  readonly chains = new Map<string, ExistingChain>();
  readonly references: Reference[] = [];
  rules = 0;
  hasKubeletMark = false;
  #table: Table | undefined;
  /** The chain that is being read, with its rules so far. */
  #from: ChainId | undefined;
  #saved: string[] = [];

  read(line: string): void {
    if (line.startsWith('-A ') && this.#table !== undefined) this.#readRule(this.#table, line.slice(3));
    else if (line.startsWith('*')) this.#table = tables.find((table) => line === `*${table}`);
    else if (line.startsWith(':') && this.#table !== undefined)
      this.#readChain(this.#table, line.slice(1).split(' ', 1)[0] ?? '');
    else if (line === 'COMMIT') this.#endChain();
  }

  #readChain(table: Table, name: string): void {
    if (kubeletMarks.has(name)) this.hasKubeletMark = true;
    const chain = { table, name, rules: 0, digest: '' };
    if (isOwnChain(chain)) this.chains.set(chainKey(chain), chain);
  }

  #readRule(table: Table, text: string): void {
    this.rules += 1;
    const name = text.slice(0, text.indexOf(' '));
    const rule = text.slice(name.length + 1);
    if (this.#from?.name !== name || this.#from.table !== table) {
      this.#endChain();
      this.#from = { table, name };
    }
    this.#saved.push(rule);
    if (isOwnChain({ table, name })) return;
    // A comment may say anything, also what reads like a target.
    const to = / -[jg] (\S+)/.exec(` ${rule.replaceAll(quotedText, '""')}`)?.[1] ?? '';
    if (!isOwnChain({ table, name: to })) return;
    this.references.push({ table, from: name, to, onlyNew: text.includes('--ctstate NEW '), rule });
  }

  #endChain(): void {
    const [chain, saved] = [this.#from, this.#saved];
    this.#from = undefined;
    this.#saved = [];
    const existing = chain && this.chains.get(chainKey(chain));
    if (existing === undefined) return;
    this.chains.set(chainKey(existing), {
      ...existing,
      rules: existing.rules + saved.length,
      digest: existing.rules === 0 ? digestOfSaveFormat(saved) : unknownDigest,
    });
  }
}

/** Of a chain whose rules are not listed together, which no version of the tool does. */
const unknownDigest = '?';
