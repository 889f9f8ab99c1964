/**
 * Kernel settings of the node's network namespace. They are read and written by programs, so that they run wherever the
 * other tools do.
 *
 * A container sees /proc/sys read-only; there the node's /proc/sys/net is mounted a second time, writable, under /host.
 */
import { CommandError, findProgram, runCommand, type ToolHost } from './command.ts';

export interface Sysctls {
  /**
   * `net/ipv4/ip_forward` -> `1`, of settings that hold one line each; undefined when this kernel lacks one of them.
   */
  readonly read: (names: readonly string[]) => Promise<ReadonlyMap<string, string> | undefined>;
  /** Throws CommandError when it is not there or may not be written. */
  readonly write: (name: string, value: string) => Promise<void>;
}

const writableRoot = '/host/proc/sys';
const plainRoot = '/proc/sys';
const timeoutMs = 5000;

/** `host`: where the programs are and how they are run. */
export function sysctls({ run = runCommand, find = findProgram }: ToolHost = {}): Sysctls {
  const program = async (name: string): Promise<string> => (await find(name)) ?? `/usr/bin/${name}`;
  const readAt = async (root: string, names: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> => {
    try {
      const lines = (
        await run({ file: await program('cat'), args: names.map((name) => `${root}/${name}`), timeoutMs })
      ).split('\n');
      return new Map(names.map((name, index) => [name, (lines[index] ?? '').trim()]));
    } catch (error) {
      if (error instanceof CommandError && error.reason === 'Failed') return undefined;
      throw error;
    }
  };
  return {
    read: (names) => readAt(plainRoot, names),
    write: async (name, value) => {
      const isMounted = (await readAt(writableRoot, [name])) !== undefined;
      await run({
        file: await program('tee'),
        args: [`${isMounted ? writableRoot : plainRoot}/${name}`],
        input: [`${value}\n`],
        timeoutMs,
      });
    },
  };
}
