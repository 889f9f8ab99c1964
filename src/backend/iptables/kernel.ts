/**
 * The kernel's side: which iptables the node uses, what it holds, in one pass over `iptables-save`, and how that
 * differs from what it should hold. Errors of the tools become SyncErrors here.
 *
 * Rules that were just written are counted, not compared, for how iptables-save words a rule differs between versions;
 * a tool that did nothing at all is found so. What is read later is compared with what was read then.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { CommandFailure } from '../../system/command.ts';
import { CommandError } from '../../system/command.ts';
import type { Iptables, IptablesHost } from '../../system/iptables.ts';
import { findIptables } from '../../system/iptables.ts';
import { SyncError } from '../backend.ts';
import type { Jump, Table } from '../shared/chains.ts';
import { allJumps, bridge, forward, isOwnChain } from '../shared/chains.ts';
import { isBucketChain } from '../shared/names.ts';
import type { ChainTexts } from './chainTexts.ts';
import type { ChainId, Ledger } from './ledger.ts';
import type { PrintedChain } from './print.ts';
import type { Differences, StaleChain } from './render.ts';
import { restoreArguments } from './render.ts';
import { asSaved, digestOfSaved } from './saved.ts';
import { preferVariant } from './variant.ts';

/** A chain of ours in the kernel. */
export interface StandingChain extends ChainId {
  /** Number of rules. */
  readonly rules: number;
  /** `digestOfSaved` of them. */
  readonly digest: string;
}

export interface KernelView {
  readonly chains: ReadonlyMap<string, StandingChain>;
  /** Rules of the kernel's and of other programs' chains that lead into ours. */
  readonly references: readonly Reference[];
  /** Everybody's. */
  readonly rules: number;
  /** kubelet marks the variant that the node uses with an empty chain. */
  readonly hasKubeletMark: boolean;
}

export interface Reference {
  readonly table: Table;
  readonly from: string;
  readonly to: string;
  readonly onlyNew: boolean;
  /** The rule as iptables-save words it, without `-A CHAIN`. */
  readonly rule: string;
}

const tables: readonly Table[] = ['filter', 'nat', 'mangle'];
const kubeletMarks: ReadonlySet<string> = new Set(['KUBE-KUBELET-CANARY', 'KUBE-IPTABLES-HINT']);
const quotedText = /"(?:[^"\\]|\\.)*"/g;

/** Every variant that is installed here, nft first. */
async function installedVariants(family: IPFamily, host: IptablesHost): Promise<readonly Iptables[]> {
  return classified('iptables', async () => {
    const named = [await findIptables(family, 'nft', host), await findIptables(family, 'legacy', host)].filter(
      (each) => each !== undefined,
    );
    return named.length > 0
      ? named
      : [await findIptables(family, 'default', host)].filter((each) => each !== undefined);
  });
}

export interface VariantView {
  readonly iptables: Iptables;
  readonly view: KernelView;
}

/**
 * Every variant with what it holds. One that this process may not read is left out if another can be: it cannot have
 * written there either.
 */
export async function readVariants(family: IPFamily, host: IptablesHost): Promise<readonly VariantView[]> {
  const read: VariantView[] = [];
  let failure: unknown;
  for (const iptables of await installedVariants(family, host)) {
    try {
      read.push({ iptables, view: await readKernel(iptables) });
    } catch (error) {
      failure ??= error;
    }
  }
  if (read.length === 0 && failure !== undefined) throw failure;
  return read;
}

/**
 * The variant that the configuration asks for, or with Auto the one that the node uses already. Throws a SyncError when
 * it is not here.
 */
export async function selectIptables(
  family: IPFamily,
  config: Pick<NodeConfig, 'iptables'>,
  host: IptablesHost,
): Promise<Iptables> {
  const choice = config.iptables?.backend ?? 'Auto';
  const name = family === 'ipv4' ? 'iptables' : 'ip6tables';
  if (choice === 'Auto') {
    const used = preferVariant(await readVariants(family, host));
    if (used !== undefined) return used.iptables;
    throw new SyncError(
      'ToolMissing',
      `${name}-restore and ${name}-save are not installed on this node; install the package iptables`,
    );
  }
  const variant = choice === 'Nft' ? 'nft' : 'legacy';
  const chosen = await classified(
    'iptables',
    async () => (await findIptables(family, variant, host)) ?? findIptables(family, 'default', host),
  );
  if (chosen?.variant === variant) return chosen;
  throw new SyncError(
    'VariantMissing',
    `this node has no ${choice} variant of ${name}; set iptables.backend to Auto or install it`,
  );
}

export async function readKernel(iptables: Iptables, signal?: AbortSignal): Promise<KernelView> {
  const reader = new SaveReader();
  await classified('iptables-save', () => iptables.save((line) => reader.read(line), signal));
  return reader;
}

const dropsInvalid = new RegExp(String.raw`^\[(\d+):\d+\] -A ${forward} -m conntrack --ctstate INVALID -j DROP$`);

/**
 * Packets of no connection that were dropped since the rule for them was written; 0 where `conntrack.tcpBeLiberal`
 * leaves it out.
 */
export async function countInvalidDropped(iptables: Iptables, signal: AbortSignal): Promise<number> {
  let packets = 0;
  const read = (line: string): void => {
    packets += Number(dropsInvalid.exec(line)?.[1] ?? 0);
  };
  await classified('iptables-save', () => iptables.counters('filter', read, signal));
  return packets;
}

export interface RestoreRequest {
  readonly input: Iterable<string>;
  readonly args?: readonly string[];
  readonly signal?: AbortSignal;
}

export async function restore(
  iptables: Iptables,
  { input, args = restoreArguments, signal }: RestoreRequest,
): Promise<void> {
  try {
    await classified('iptables-restore', () => iptables.restore(args, input, signal));
  } catch (error) {
    if (iptables.variant === 'nft' || !hasNoResources(error)) throw error;
    throw new SyncError('LockHeld', 'another program holds the lock of iptables, /run/xtables.lock', {
      cause: error.cause,
      tool: error.tool,
    });
  }
}

const failures: Record<CommandFailure, readonly [reason: string, words: string]> = {
  NotFound: ['ToolMissing', 'is not installed'],
  TimedOut: ['ToolTimedOut', 'did not end in time and was stopped'],
  Aborted: ['Aborted', 'was stopped because the agent is going away'],
  Failed: ['ToolFailed', 'failed; its own words are in the log'],
};

/** Runs a tool with its failures told as SyncErrors. */
export async function classified<T>(tool: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof CommandError) {
      const [reason, words] = failures[cause.reason];
      throw new SyncError(reason, `${tool} ${words}`, { cause, tool });
    }
    throw cause;
  }
}

class SaveReader implements KernelView {
  readonly chains = new Map<string, StandingChain>();
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
    // A comment may say anything, also what looks like a target.
    const to = / -[jg] (\S+)/.exec(` ${rule.replaceAll(quotedText, '""')}`)?.[1] ?? '';
    if (!isOwnChain({ table, name: to })) return;
    this.references.push({ table, from: name, to, onlyNew: text.includes('--ctstate NEW '), rule });
  }

  #endChain(): void {
    const [chain, saved] = [this.#from, this.#saved];
    this.#from = undefined;
    this.#saved = [];
    const standing = chain && this.chains.get(chainKey(chain));
    if (standing === undefined) return;
    this.chains.set(chainKey(standing), {
      ...standing,
      rules: standing.rules + saved.length,
      digest: standing.rules === 0 ? digestOfSaved(saved) : unknownDigest,
    });
  }
}

/** Of a chain whose rules are not listed together, which no version of the tool does. */
const unknownDigest = '?';

function chainKey({ table, name }: ChainId): string {
  return `${table} ${name}`;
}

function isJump(reference: Reference, jump: Jump): boolean {
  return (
    reference.table === jump.table &&
    reference.from === jump.from &&
    reference.to === jump.to &&
    reference.onlyNew === jump.onlyNew
  );
}

function missingJumps(view: KernelView, { jumps }: Pick<Ledger, 'jumps'>): readonly Jump[] {
  return jumps.filter((jump) => !view.references.some((reference) => isJump(reference, jump)));
}

/** Jumps of ours, of any mode. */
export function ownJumps(view: KernelView): readonly Reference[] {
  return view.references.filter((reference) => allJumps.some((jump) => isJump(reference, jump)));
}

/** Jumps of a mode that ran before. The bridge is no mode's: who put it up takes it away. */
function staleJumps(view: KernelView, { jumps }: Pick<Ledger, 'jumps'>): readonly Reference[] {
  return ownJumps(view).filter(
    (reference) => reference.to !== bridge && !jumps.some((jump) => isJump(reference, jump)),
  );
}

/** Chains of ours that the plan does not have, such as those of Services that went away while no agent ran. */
function staleChains(view: KernelView, ledger: Ledger): readonly StaleChain[] {
  const planned = new Set([...ledger.chains()].map(chainKey));
  const going = new Set(staleJumps(view, ledger));
  const referred = new Set(
    view.references.filter((reference) => !going.has(reference)).map(({ table, to }) => chainKey({ table, name: to })),
  );
  const stale = [...view.chains].filter(([key, { name }]) => name !== bridge && !planned.has(key));
  return stale.map(([key, { table, name }]) => ({ table, name, keep: referred.has(key) }));
}

export function hasTree({ chains }: KernelView): boolean {
  return [...chains.values()].some(({ name }) => isBucketChain(name));
}

/** Whether the tool takes a table more than once in a run, which no manual promises. */
export async function takesBlocks(iptables: Iptables, signal: AbortSignal): Promise<boolean> {
  try {
    await restore(iptables, { args: ['--test', ...restoreArguments], input: ['*nat\nCOMMIT\n*nat\nCOMMIT\n'], signal });
    return true;
  } catch (error) {
    if (error instanceof SyncError && error.reason === 'ToolFailed') return false;
    throw error;
  }
}

/** What has to be done, and what is done already; which chains are stale is asked when the ledger is full. */
export function differencesOf({ variant, family }: Iptables, view: KernelView, ledger: Ledger): Differences {
  const stands = (chain: PrintedChain): boolean => {
    const standing = view.chains.get(chainKey(chain));
    return (
      standing?.rules === chain.rules.length &&
      standing.digest === digestOfSaved(chain.rules.map((rule) => asSaved(rule, family)))
    );
  };
  return {
    variant,
    stands,
    missingJumps: missingJumps(view, ledger),
    staleJumps: staleJumps(view, ledger),
    stale: () => staleChains(view, ledger),
  };
}

/**
 * The first thing in which the kernel is not as planned, or since it was read before, in words; undefined when all is
 * there.
 */
export function findDifference(
  view: KernelView,
  ledger: Ledger,
  before?: Pick<ChainTexts, 'isEdited'>,
): string | undefined {
  for (const chain of ledger.chains()) {
    const { table, name, rules } = chain;
    const found = view.chains.get(chainKey(chain));
    if (found === undefined) return `chain ${name} of table ${table} is missing`;
    if (found.rules !== rules) return `chain ${name} of table ${table} holds ${found.rules} rules instead of ${rules}`;
    if (before?.isEdited(found) === true) return `chain ${name} of table ${table} holds other rules than were written`;
  }
  const [jump] = missingJumps(view, ledger);
  return jump && `the jump from ${jump.from} to ${jump.to} in table ${jump.table} is missing`;
}

/** Whether a tool, or the kernel through it, refused what it was given. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof SyncError &&
    error.cause instanceof CommandError &&
    error.cause.reason === 'Failed' &&
    !hasNoResources(error)
  );
}

/** iptables' own word for it (xtables.h); to the legacy variant that is the lock, for which it waits a few seconds. */
const resourceProblem = 4;

function hasNoResources(error: unknown): error is SyncError {
  return error instanceof SyncError && error.cause instanceof CommandError && error.cause.exitCode === resourceProblem;
}
