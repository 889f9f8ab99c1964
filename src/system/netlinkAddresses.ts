/**
 * The node's devices and addresses, by `ip`. Nothing is decided here.
 */
import { findProgram, runCommand, type ToolHost } from './command.ts';

export interface NetlinkAddresses {
  /**
   * Of all devices: `3: kube-ipvs0: <BROADCAST,NOARP> …`, then a line for each address: `    inet 192.0.2.1/24 … scope
   * global …`.
   */
  show(onLine: (line: string) => void, signal?: AbortSignal): Promise<void>;
  /** Lines of `ip` commands; stops at the first that fails. */
  batch(input: Iterable<string>, signal?: AbortSignal): Promise<void>;
}

export const ipBatchArguments: readonly string[] = ['-batch', '-'];
const timeoutMs = 60_000;

/** undefined when `ip` is not installed. */
export async function findNetlinkAddresses({ run = runCommand, find = findProgram }: ToolHost = {}): Promise<
  NetlinkAddresses | undefined
> {
  const file = await find('ip');
  if (file === undefined) return undefined;
  return {
    show: async (onLine, signal) => {
      await run({ file, args: ['addr', 'show'], onLine, timeoutMs, ...(signal && { signal }) });
    },
    batch: async (input, signal) => {
      await run({ file, args: ipBatchArguments, input, timeoutMs, ...(signal && { signal }) });
    },
  };
}
