/**
 * The program that speaks to the kernel's virtual servers (ip_vs). It knows both IP families at once. Nothing is
 * decided here.
 */
import { findProgram, runCommand } from '../../../system/command.ts';
import type { ToolHost } from '../../../system/command.ts';

export interface Ipvsadm {
  /** Hands over every line of `ipvsadm -Ln`: virtual and real servers with their numbers of connections. */
  list(onLine: (line: string) => void, signal?: AbortSignal): Promise<void>;
  /**
   * Lines as ipvsadm(8) says, without any comment: it refuses comments. A line that fails does not stop the next one,
   * but fails the whole.
   */
  restore(input: Iterable<string>, signal?: AbortSignal): Promise<void>;
  /** Throws CommandError where the kernel has no ip_vs; the program loads the module if it may. */
  probe(): Promise<void>;
}

const listTimeoutMs = 60_000;
const restoreTimeoutMs = 120_000;
const probeTimeoutMs = 10_000;

/** undefined when it is not installed. */
export async function findIpvsadm({ run = runCommand, find = findProgram }: ToolHost = {}): Promise<
  Ipvsadm | undefined
> {
  const file = await find('ipvsadm');
  if (file === undefined) return undefined;
  return {
    list: async (onLine, signal) => {
      await run({ file, args: ['-Ln'], onLine, timeoutMs: listTimeoutMs, ...(signal && { signal }) });
    },
    restore: async (input, signal) => {
      await run({
        file,
        args: ['-R'],
        input,
        mustBeSilent: true,
        timeoutMs: restoreTimeoutMs,
        ...(signal && { signal }),
      });
    },
    probe: async () => {
      await run({ file, args: ['-Ln', '--timeout'], timeoutMs: probeTimeoutMs });
    },
  };
}
