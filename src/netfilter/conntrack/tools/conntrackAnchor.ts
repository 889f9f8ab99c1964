/**
 * Keeps the kernel's connection tracking and address translation hooked in. The kernel counts the rules that ask for
 * them and lets go with the last: when rules are exchanged or flushed, even for half a second, established connections
 * would stall for most of a second and those to NodePorts break (measured, Linux 6.18). A table of our own per family
 * asks for both and touches no packet.
 *
 * `nft flush ruleset` takes that table as well. A second one is owned by an nft that runs as long as the agent: nobody
 * else can flush it.
 */
import { CommandError, findProgram, runCommand } from '../../../system/command.ts';
import type { ToolHost } from '../../../system/command.ts';
import { keepRunning, type LongRunning, type LongRunningOptions } from '../../../system/longRunning.ts';
import { runTool, toolMissing } from '../../errors.ts';

/** The table that outlives the agent. */
export const anchorTable = 'proxyconfig-anchor';
const held = 'proxyconfig-anchor-held';
const families = ['ip', 'ip6'] as const;
const timeoutMs = 5000;

/**
 * A rule asks for tracking also in a chain that nothing leads to; translation needs a chain that is hooked in, and may
 * be empty.
 */
function tableCommands(name: string, flags: string): string {
  return families
    .map(
      (family) => `add table ${family} ${name} ${flags}
add chain ${family} ${name} tracking
flush chain ${family} ${name} tracking
add rule ${family} ${name} tracking ct state new
add chain ${family} ${name} translation { type nat hook output priority 100; }
`,
    )
    .join('');
}

/** Makes the tables that outlive the agent, or leaves them as they are. Throws a SyncError. */
export async function setAnchor(
  signal: AbortSignal,
  { run = runCommand, find = findProgram }: ToolHost = {},
): Promise<void> {
  const file = await find('nft');
  if (file === undefined) throw toolMissing('nft is', 'nftables');
  await runTool('nft', () =>
    run({ file, args: ['-f', '-'], input: [tableCommands(anchorTable, '')], timeoutMs, signal }),
  );
}

/** nft answers it by itself, in a few lines: then it has come to the end of the commands before. */
const question = 'describe ip protocol\n';

/**
 * Holds the tables that cannot be flushed, until it is stopped. `onReady`: nft has taken them; before Linux 5.12, which
 * lets nobody own a table, it is told so, too.
 */
export function holdAnchor(on: Pick<LongRunningOptions, 'onReady' | 'onEnd'>): LongRunning {
  const input = tableCommands(held, '{ flags owner; }').replaceAll('\n', ' ; ').replace(/ ; $/, '\n');
  return keepRunning({ program: 'nft', args: ['-i'], input: input + question, ...on });
}

/** Returns the names of what it removed. Throws CommandError. */
export async function removeAnchor({ run = runCommand, find = findProgram }: ToolHost = {}): Promise<
  readonly string[]
> {
  const file = await find('nft');
  if (file === undefined) return [];
  const removed: string[] = [];
  for (const family of families) {
    try {
      await run({ file, args: ['delete', 'table', family, anchorTable], timeoutMs });
      removed.push(`table ${family} ${anchorTable}`);
    } catch (error) {
      // It is not there, or the kernel has no nftables.
      if (!(error instanceof CommandError && error.reason === 'Failed')) throw error;
    }
  }
  return removed;
}
