/**
 * Reads the kernel's tables in one pass over `iptables-save`.
 */
import { runTool } from '../../errors.ts';
import type { Iptables } from './iptables.ts';
import type { ChainId, Table } from '../chain.ts';
import type { Ownership } from '../ownership.ts';
import { digestOfSaveFormat } from '../formattedChain.ts';
import { chainKey, type TablesView, type Reference, type ExistingChain } from '../tables.ts';

const tables: readonly Table[] = ['filter', 'nat', 'mangle'];
const kubeletMarks: ReadonlySet<string> = new Set(['KUBE-KUBELET-CANARY', 'KUBE-IPTABLES-HINT']);
const quotedText = /"(?:[^"\\]|\\.)*"/g;

/** What the kernel holds of ours, in all three tables. Throws a SyncError. */
export async function readTables(iptables: Iptables, ownership: Ownership, signal?: AbortSignal): Promise<TablesView> {
  const reader = new SaveReader(ownership);
  await runTool('iptables-save', () => iptables.save((line) => reader.read(line), signal));
  return reader;
}

/** Takes the lines of iptables-save one by one. */
class SaveReader implements TablesView {
  readonly chains = new Map<string, ExistingChain>();
  readonly references: Reference[] = [];
  readonly ownership: Ownership;
  rules = 0;
  hasKubeletMark = false;
  #table: Table | undefined;
  /** The chain that is being read, with its rules so far. */
  #from: ChainId | undefined;
  #saved: string[] = [];

  constructor(ownership: Ownership) {
    this.ownership = ownership;
  }

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
    if (this.ownership.isOwn(chain)) this.chains.set(chainKey(chain), chain);
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
    if (this.ownership.isOwn({ table, name })) return;
    // A comment may say anything, also what reads like a target.
    const to = / -[jg] (\S+)/.exec(` ${rule.replaceAll(quotedText, '""')}`)?.[1] ?? '';
    if (!this.ownership.isOwn({ table, name: to })) return;
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
