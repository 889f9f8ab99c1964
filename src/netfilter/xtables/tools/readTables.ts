/**
 * Reads the kernel's tables in one pass over `iptables-save`.
 */
import { CommandError } from '../../../system/command.ts';
import { isUnknownToTool, runTool, SyncError, toolError } from '../../errors.ts';
import { isJump } from '../compareTables.ts';
import { type ListedRule, NftListingReader } from '../nftListing.ts';
import { formatJump } from '../transaction.ts';
import type { Iptables } from './iptables.ts';
import type { ChainId, Table } from '../chain.ts';
import type { Ownership } from '../ownership.ts';
import { digestOfSaveFormat } from '../formattedChain.ts';
import { ChainMap, type Reference, type TablesView, unknownDigest } from '../tables.ts';

const tables: readonly Table[] = ['filter', 'nat', 'mangle'];
const kubeletMarks: ReadonlySet<string> = new Set(['KUBE-KUBELET-CANARY', 'KUBE-IPTABLES-HINT']);
const quotedText = /"(?:[^"\\]|\\.)*"/g;

/** What the kernel holds of ours, in all three tables. Throws a SyncError. */
export async function readTables(iptables: Iptables, ownership: Ownership, signal?: AbortSignal): Promise<TablesView> {
  const reader = await readSaved(iptables, ownership, signal);
  for (const table of reader.unreadable) await readUnreadable(table, iptables, reader, signal);
  return reader;
}

/**
 * Some rules of nft's that iptables-save does not know keep the one table from being shown; at others it ends, with
 * whatever it showed before (`meta l4proto { tcp, udp } th dport 53`; 1.8.9 and 1.8.11). Then each table is asked for alone.
 */
async function readSaved(iptables: Iptables, ownership: Ownership, signal?: AbortSignal): Promise<SaveReader> {
  const reader = new SaveReader(ownership);
  try {
    await runTool('iptables-save', () => iptables.save((line) => reader.read(line), signal));
    return reader;
  } catch (error) {
    if (!isUnknownToTool(error)) throw error;
    return readOneByOne(iptables, ownership, signal);
  }
}

async function readOneByOne(iptables: Iptables, ownership: Ownership, signal?: AbortSignal): Promise<SaveReader> {
  const reader = new SaveReader(ownership);
  for (const table of tables) {
    const alone = new SaveReader(ownership);
    try {
      await runTool('iptables-save', () => iptables.save((line) => alone.read(line), signal, table));
      reader.add(alone);
    } catch (error) {
      if (!isUnknownToTool(error)) throw error;
      reader.unreadable.push(table);
    }
  }
  return reader;
}

/** Throws a SyncError that names the table and the remedy where it cannot be read in another way either. */
async function readUnreadable(
  table: Table,
  iptables: Iptables,
  reader: SaveReader,
  signal: AbortSignal | undefined,
): Promise<void> {
  const listing = new NftListingReader({
    onChain: (name) => reader.readListedChain(table, name),
    onRule: (rule) => reader.readListedRule(table, rule),
  });
  try {
    await iptables.list(table, (line) => listing.read(line), signal);
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new SyncError('TableUnreadable', unreadableTable(table, iptables.family, cause), { cause });
  }
}

function unreadableTable(table: Table, family: Iptables['family'], cause: CommandError): string {
  const isMissing = cause.reason === 'NotFound';
  const remedy = isMissing ? 'install nftables on this node' : toolError('nft', cause).message;
  const listing = `nft list table ${family === 'ipv4' ? 'ip' : 'ip6'} ${table}`;
  return `table ${table} holds a rule that iptables cannot show; ${remedy}, or take the rule out (${listing} shows it)`;
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
  /** Tables that the tool does not show because a rule in them is not its own. */
  readonly unreadable: Table[] = [];

  constructor(ownership: Ownership) {
    this.ownership = ownership;
  }

  read(line: string): void {
    if (line.startsWith('-A ') && this.#table !== undefined) this.#readRule(this.#table, line);
    else if (line.startsWith('*')) this.#table = tables.find((table) => line === `*${table}`);
    else if (line.startsWith(':') && this.#table !== undefined)
      this.#readChain(this.#table, line.slice(1, line.indexOf(' ')));
    else if (line === 'COMMIT') this.#endChain();
    else if (line.startsWith('# Table ')) this.#readUnreadable(line);
  }

  /** Takes over what was read of another table. */
  add({ chains, references, rules, hasKubeletMark, unreadable }: SaveReader): void {
    for (const chain of chains.values()) this.chains.set(chain, chain);
    for (const reference of references) this.references.push(reference);
    this.unreadable.push(...unreadable);
    this.rules += rules;
    this.hasKubeletMark ||= hasKubeletMark;
  }

  #readUnreadable(line: string): void {
    const [, name] = /^# Table `(\S+)' is incompatible/.exec(line) ?? [];
    this.unreadable.push(...tables.filter((table) => table === name));
  }

  readListedChain(table: Table, name: string): void {
    this.#readChain(table, name);
  }

  /** What a rule says is not known: those of ours count, and jumps are taken for the ones that they look like. */
  readListedRule(table: Table, { chain: from, to, onlyNew }: ListedRule): void {
    this.rules += 1;
    const own = this.chains.get({ table, name: from });
    if (own !== undefined) {
      own.rules += 1;
      own.digest = unknownDigest;
    } else if (this.ownership.isOwn({ table, name: to })) {
      const jump = this.ownership.jumps.find((each) => isJump({ table, from, to, onlyNew }, each));
      this.references.push({ table, from, to, onlyNew, rule: jump === undefined ? '' : formatJump(jump) });
    }
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
