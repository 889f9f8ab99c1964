/**
 * Transactions: the input of `iptables-restore --noflush`.
 *
 * A table's rules change in one atomic step at its COMMIT; two tables do not change together, nor do two blocks of one
 * table.
 */
import type { ChainId, IptablesVariant, Jump, Table } from './chain.ts';
import type { FormattedChain } from './formattedChain.ts';
import { comment, formatRule, jumpTo, newConnection } from './rule.ts';

/** What the kernel shows already; on an empty node every jump is missing and nothing is stale. */
export interface Differences {
  readonly variant: IptablesVariant;
  /** False where the tool does not take a table more than once in a run; then everything goes in one block. */
  readonly takesBlocks?: boolean;
  /** In the order in which they are committed; nat first without it. */
  readonly tables?: readonly Table[];
  readonly missingJumps: readonly Jump[];
  /** Those of another writer of ours. */
  readonly staleJumps: readonly RemovableJump[];
  /** Called for each table when all chains are given. */
  readonly stale: () => readonly StaleChain[];
  /** Whether the kernel holds a chain with these very rules, which then need not be written; none without it. */
  readonly exists?: (chain: FormattedChain) => boolean;
}

/** `keep`: somebody else's rule still leads there, so it can only be emptied. */
export interface StaleChain extends ChainId {
  readonly keep: boolean;
}

export interface RemovableJump {
  readonly table: Table;
  readonly from: string;
  readonly rule: string;
}

/** Gives the text that writes a chain; '' where it holds its very rules already. */
export type WriteChain = (chain: FormattedChain) => string;

/** What a table is to hold. */
export interface TableSource {
  /**
   * The text of a table's chains, in pieces that end with a line end each; what is referred to comes first. A piece may
   * be `commit`, which ends a block: what follows is another atomic step.
   */
  pieces(table: Table, write: WriteChain): Iterable<string>;
}

/** As kube-proxy runs iptables-restore: -w waits for another program's lock, in seconds. */
export const restoreArguments: readonly string[] = ['-w', '5', '--noflush', '--counters'];

export const commit = 'COMMIT\n';

/**
 * Everything but what stands, as pieces that end with a line end each, computed while they are read: chains, missing
 * jumps, then what goes.
 */
export function* fullTransaction(source: TableSource, differences: Differences): Generator<string> {
  for (const table of differences.tables ?? (['nat', 'filter', 'mangle'] as const))
    yield* inBlocks(table, piecesOf(table, source, differences));
}

/**
 * `*TABLE`, the pieces, `COMMIT`; nothing at all where no piece says anything. Empty pieces come as they are, for whoever
 * reads them may pause there.
 */
export function* inBlocks(table: Table, pieces: Iterable<string>): Generator<string> {
  let isOpen = false;
  for (const piece of pieces) {
    if (piece === commit && !isOpen) continue;
    if (piece !== '' && !isOpen) yield `*${table}\n`;
    yield piece;
    if (piece !== '') isOpen = piece !== commit;
  }
  if (isOpen) yield commit;
}

function* piecesOf(table: Table, source: TableSource, differences: Differences): Generator<string> {
  const inTable = (each: { readonly table: Table }): boolean => each.table === table;
  yield* source.pieces(table, (chain) => (differences.exists?.(chain) === true ? '' : writeChain(chain)));
  yield differences.missingJumps.filter(inTable).map(insertJump).join('');
  yield differences.staleJumps.filter(inTable).map(deleteJump).join('');
  const stale = differences.stale().filter(inTable);
  yield* cutIntoBlocks(removalOf(stale).map(lineOf), linesPerBlock(differences));
}

/**
 * How many lines a block should hold. The nft variant takes time by the square of what is in one block (measured,
 * 1.8.9: 10,000 Services take 61 s in one block, 3 s in blocks of 1,500 lines); the legacy one copies the whole table
 * at every COMMIT.
 */
export function linesPerBlock({ variant, takesBlocks = true }: Pick<Differences, 'variant' | 'takesBlocks'>): number {
  return variant === 'nft' && takesBlocks ? maxLinesInPiece : Number.POSITIVE_INFINITY;
}

/** With more, a group of chains takes long to word, and is cut into its chains wherever blocks are cut. */
const maxLinesInPiece = 1500;

/** A part of a block that is not cut. */
export interface Piece {
  readonly text: string;
  readonly lines: number;
}

export const lineOf = (text: string): Piece => ({ text, lines: 1 });

/** The texts of the pieces, with a `commit` after each block of so many lines, or a few more. */
export function* cutIntoBlocks(pieces: Iterable<Piece>, maxLines: number): Generator<string> {
  let count = 0;
  for (const { text, lines } of pieces) {
    yield text;
    count += lines;
    if (count < maxLines) continue;
    yield commit;
    count = 0;
  }
}

/**
 * Groups of chains. Those of a group are one piece, unless they have more lines than a block should; what is referred to
 * comes first in a group. An empty piece where there is nothing to write.
 */
export function* piecesOfChains(groups: Iterable<readonly FormattedChain[]>, write: WriteChain): Generator<Piece> {
  for (const group of groups) {
    if (linesOf(group) > maxLinesInPiece) for (const chain of group) yield pieceOfChains([chain], write);
    else yield pieceOfChains(group, write);
  }
}

/** Of those chains that `write` says something of. */
export function pieceOfChains(chains: readonly FormattedChain[], write: WriteChain): Piece {
  let [text, lines] = ['', 0];
  for (const chain of chains) {
    const written = write(chain);
    text += written;
    if (written !== '') lines += linesOf([chain]);
  }
  return { text, lines };
}

/** How many lines `writeChain` makes of these chains. */
export function linesOf(chains: readonly FormattedChain[]): number {
  return chains.reduce((sum, { rules }) => sum + rules.length + 1, 0);
}

/** One block; '' where the pieces say nothing. */
export function block(table: Table, pieces: readonly string[]): string {
  const body = pieces.join('');
  return body === '' ? '' : `*${table}\n${body}${commit}`;
}

/** Declaring a chain makes it or empties it. */
function declareChain(name: string): string {
  return `:${name} - [0:0]\n`;
}

export function writeChain({ name, rules }: FormattedChain): string {
  return declareChain(name) + rules.map((rule) => `-A ${name} ${rule}\n`).join('');
}

/** The rule, without the chain that it stands in. */
export function formatJump({ onlyNew, comment: text, to }: Jump): string {
  return formatRule({ matches: [...(onlyNew ? [newConnection] : []), comment(text)], target: jumpTo(to) });
}

function insertJump(jump: Jump): string {
  return `-I ${jump.from} ${formatJump(jump)}\n`;
}

function deleteJump({ from, rule }: RemovableJump): string {
  return `-D ${from} ${rule}\n`;
}

/** Takes out what is there of ours: jumps first, as rules that iptables-save showed, then the chains. */
export function removalTransaction(jumps: readonly RemovableJump[], chains: readonly StaleChain[]): string {
  const removalIn = (table: Table): string =>
    block(table, [
      ...jumps.filter((jump) => jump.table === table).map(deleteJump),
      removeChains(chains.filter((chain) => chain.table === table)),
    ]);
  return (['nat', 'filter', 'mangle'] as const).map(removalIn).join('');
}

/** As `removalOf`, as one text. */
export function removeChains(chains: readonly StaleChain[]): string {
  return removalOf(chains).join('');
}

/** As lines. All of them are emptied before the first is deleted, because they refer to each other. */
export function removalOf(chains: readonly StaleChain[]): readonly string[] {
  const deletions = chains.filter(({ keep }) => !keep).map(({ name }) => `-X ${name}\n`);
  return [...chains.map(({ name }) => declareChain(name)), ...deletions];
}
