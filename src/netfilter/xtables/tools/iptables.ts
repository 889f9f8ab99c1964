/**
 * The programs of iptables: which there are, and how they are run. Nothing is decided here.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import { CommandError, findProgram, runCommand, type ToolHost } from '../../../system/command.ts';
import type { IptablesVariant, Table } from '../chain.ts';

export interface Iptables {
  readonly family: IPFamily;
  readonly variant: IptablesVariant;
  /** e.g. `1.8.9` */
  readonly version: string;
  /** Hands over every line of `iptables-save`, of one table or of all. */
  save(onLine: (line: string) => void, signal?: AbortSignal, table?: Table): Promise<void>;
  /** The lines of one table, each rule behind what it counted: `[packets:bytes] -A CHAIN …`. */
  counters(table: string, onLine: (line: string) => void, signal?: AbortSignal): Promise<void>;
  restore(args: readonly string[], input: Iterable<string>, signal?: AbortSignal): Promise<void>;
  /**
   * The lines of `nft list table`, for a table that the tool itself cannot show. Throws CommandError, with `NotFound`
   * where there is no nft.
   */
  list(table: string, onLine: (line: string) => void, signal?: AbortSignal): Promise<void>;
}

const versionTimeoutMs = 5000;
const saveTimeoutMs = 60_000;
/**
 * A tool that hangs should not hold up a small change for long; the nft variant takes a minute for 10,000 Services in
 * one block (measured, 1.8.9).
 */
const restoreTimeoutMs = 30_000;
const restoreTimeoutMsPerKiB = 50;

/**
 * The programs that are made for one variant (`iptables-nft-restore`), or with `default` whatever `iptables-restore` is
 * here. undefined when they are not installed; throws CommandError when they cannot be run.
 */
export async function findIptables(
  family: IPFamily,
  flavor: IptablesVariant | 'default',
  host: ToolHost = {},
): Promise<Iptables | undefined> {
  const { run = runCommand, find = findProgram } = host;
  const name = (family === 'ipv4' ? 'iptables' : 'ip6tables') + (flavor === 'default' ? '' : `-${flavor}`);
  const restore = await find(`${name}-restore`);
  const save = await find(`${name}-save`);
  if (restore === undefined || save === undefined) return undefined;
  const words = await run({ file: restore, args: ['--version'], timeoutMs: versionTimeoutMs });
  return {
    family,
    variant: words.includes('nf_tables') ? 'nft' : 'legacy',
    version: /v(\d+(?:\.\d+)+)/.exec(words)?.[1] ?? 'unknown',
    save: async (onLine, signal, table) => {
      const args = table === undefined ? [] : ['-t', table];
      await run({ file: save, args, onLine, timeoutMs: saveTimeoutMs, ...(signal && { signal }) });
    },
    counters: async (table, onLine, signal) => {
      await run({ file: save, args: ['-c', '-t', table], onLine, timeoutMs: saveTimeoutMs, ...(signal && { signal }) });
    },
    list: async (table, onLine, signal) => {
      const file = await find('nft');
      if (file === undefined) throw new CommandError('NotFound', 'nft is not installed');
      const args = ['list', 'table', family === 'ipv4' ? 'ip' : 'ip6', table];
      await run({ file, args, onLine, timeoutMs: saveTimeoutMs, ...(signal && { signal }) });
    },
    restore: async (args, input, signal) => {
      await run({
        file: restore,
        args,
        input,
        timeoutMs: restoreTimeoutMs,
        timeoutMsPerKiB: restoreTimeoutMsPerKiB,
        ...(signal && { signal }),
      });
    },
  };
}
