/**
 * The program that speaks to the kernel's IP sets. Nothing is decided here.
 */
import { findProgram, runCommand } from '../../../system/command.ts';
import type { ToolHost } from '../../../system/command.ts';

export interface Ipset {
  /** Hands over every line of `ipset save`: all sets of all owners. */
  save(onLine: (line: string) => void, signal?: AbortSignal): Promise<void>;
  /** Stops at the first line that fails; the lines before it stand. */
  restore(input: Iterable<string>, signal?: AbortSignal): Promise<void>;
}

/** What is there already need not be added, what is gone need not be deleted. */
export const ipsetArguments: readonly string[] = ['-exist', 'restore'];
const timeoutMs = 60_000;

/** undefined when it is not installed. */
export async function findIpset({ run = runCommand, find = findProgram }: ToolHost = {}): Promise<Ipset | undefined> {
  const file = await find('ipset');
  if (file === undefined) return undefined;
  return {
    save: async (onLine, signal) => {
      await run({ file, args: ['save'], onLine, timeoutMs, ...(signal && { signal }) });
    },
    restore: async (input, signal) => {
      await run({ file, args: ipsetArguments, input, timeoutMs, ...(signal && { signal }) });
    },
  };
}
