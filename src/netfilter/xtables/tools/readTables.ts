/**
 * Reads the kernel's tables in one pass over `iptables-save`.
 */
import { runTool } from '../../errors.ts';
import type { Iptables } from './iptables.ts';
import type { ChainId, Table } from '../chain.ts';
import type { Ownership } from '../ownership.ts';
import { digestOfSaveFormat } from '../formattedChain.ts';
import { ChainMap, type Reference, type TablesView } from '../tables.ts';

const tables: readonly Table[] = ['filter', 'nat', 'mangle'];
const kubeletMarks: ReadonlySet<string> = new Set(['KUBE-KUBELET-CANARY', 'KUBE-IPTABLES-HINT']);
const quotedText = /"(?:[^"\\]|\\.)*"/g;

/** What the kernel holds of ours, in all three tables. Throws a SyncError. */
export async function readTables(iptables: Iptables, ownership: Ownership, signal?: AbortSignal): Promise<TablesView> {
  const reader = new SaveReader(ownership);
  await runTool('iptables-save', () => iptables.save((line) => reader.read(line), signal));
  return reader;
}

interface ChainBeingRead extends ChainId {
  rules: number;
  digest: number;
}

/** Takes the lines of iptables-save one by one; it declares every chain of a table before the first rule. */
class SaveReader implements TablesView {
  readonly chains = new ChainMap<ChainBeingRead>();
  readonly references: Reference[] = [];
  readonly ownership: Ownership;
  rules = 0;
  hasKubeletMark = false;
  #table: Table | undefined;
  /** Of the chain whose rules are being read. */
  #name = '';
  /** That chain, where it is ours, with its rules so far. */
  #own: ChainBeingRead | undefined;
  #saved: string[] = [];

  constructor(ownership: Ownership) {
    this.ownership = ownership;
  }

  read(line: string): void {
    if (line.startsWith('-A ') && this.#table !== undefined) this.#readRule(this.#table, line);
    else if (line.startsWith('*')) this.#table = tables.find((table) => line === `*${table}`);
    else if (line.startsWith(':') && this.#table !== undefined)
      this.#readChain(this.#table, line.slice(1, line.indexOf(' ')));
    else if (line === 'COMMIT') this.#endChain();
  }

  #readChain(table: Table, name: string): void {
    if (kubeletMarks.has(name)) this.hasKubeletMark = true;
    const chain = { table, name, rules: 0, digest: 0 };
    if (this.ownership.isOwn(chain)) this.chains.set(chain, chain);
  }

  #readRule(table: Table, line: string): void {
    this.rules += 1;
    const start = '-A '.length;
    const end = line.indexOf(' ', start);
    const rule = line.slice(end + 1);
    // Compared in place: a text of its own for each rule's chain would be garbage.
    if (end - start !== this.#name.length || !line.startsWith(this.#name, start)) {
      this.#endChain();
      this.#name = line.slice(start, end);
      this.#own = this.chains.get({ table, name: this.#name });
    }
    if (this.#own === undefined) this.#readForeign({ table, name: this.#name }, rule);
    else this.#saved.push(rule);
  }

  #readForeign({ table, name: from }: ChainId, rule: string): void {
    // A comment may say anything, also what reads like a target.
    const to = / -[jg] (\S+)/.exec(` ${rule.replaceAll(quotedText, '""')}`)?.[1] ?? '';
    if (!this.ownership.isOwn({ table, name: to })) return;
    this.references.push({ table, from, to, onlyNew: rule.includes('--ctstate NEW '), rule });
  }

  #endChain(): void {
    const own = this.#own;
    if (own !== undefined) {
      own.digest = own.rules === 0 ? digestOfSaveFormat(this.#saved) : unknownDigest;
      own.rules += this.#saved.length;
      this.#saved = [];
    }
    this.#own = undefined;
    this.#name = '';
  }
}

/** Of a chain whose rules are not listed together, which no version of the tool does. */
const unknownDigest = -1;
