/**
 * `proxyconfig cleanup`: takes every kernel object of ours off this node, whichever mode put it there; or with
 * --handover only what kube-proxy would not know, so that it can take over while Services go on working.
 */
import { proxyModes } from '../../api/nodeConfig.ts';
import type { Backend } from '../../backend/backend.ts';
import { createBackend, refusalOf } from '../../backend/registry.ts';
import { ipFamilies } from '../../model/ipFamily.ts';
import { printable } from '../../observability/printable.ts';
import { runCommand } from '../../system/command.ts';
import { removeAnchor } from '../../netfilter/conntrack/tools/conntrackAnchor.ts';
import { execaTool } from '../../system/execaTool.ts';
import type { ToolHost } from '../../system/command.ts';

/** As the command line gives them. */
export interface CleanupFlags {
  readonly handover: boolean;
}

/**
 * Writes a line for each removed object, and resolves to the exit status: 0, or 1 where something could not be removed.
 * One failure keeps nothing else from being removed.
 */
export async function runCleanup(
  { handover }: CleanupFlags,
  { stdout, stderr }: Pick<typeof process, 'stdout' | 'stderr'>,
): Promise<number> {
  let removed = 0;
  let failures = 0;
  for (const { what, remove } of handover ? handovers() : removals()) {
    try {
      const objects = await remove();
      for (const object of objects) stdout.write(`removed ${printable(object)}\n`);
      removed += objects.length;
    } catch (error) {
      stderr.write(`error: ${what}: ${printable(error instanceof Error ? error.message : String(error))}\n`);
      failures += 1;
    }
  }
  const nothing = handover ? 'nothing stands in the way of kube-proxy' : 'nothing of ours was found';
  stdout.write(removed === 0 ? `${nothing}\n` : `${removed} objects removed\n`);
  return failures === 0 ? 0 : 1;
}

const host: ToolHost = { run: (command) => runCommand(command, execaTool) };

interface Removal {
  readonly what: string;
  /** Resolves to the names of what it removed. */
  readonly remove: () => Promise<readonly string[]>;
}

function forEachBackend(removeFrom: (backend: Backend) => Promise<readonly string[]>): readonly Removal[] {
  const modes = proxyModes.filter((mode) => refusalOf(mode) === undefined);
  return modes.flatMap((mode) =>
    ipFamilies.map((family) => ({
      what: `${mode}, ${family}`,
      remove: async () => (await removeFrom(createBackend(mode, family, host))).map((object) => `${family} ${object}`),
    })),
  );
}

function removals(): readonly Removal[] {
  return [
    ...forEachBackend((backend) => backend.cleanup()),
    { what: 'the conntrack anchor', remove: () => removeAnchor(host) },
  ];
}

/** The anchor is not in kube-proxy's way, and keeps connections alive while that takes over. */
function handovers(): readonly Removal[] {
  return forEachBackend(async (backend) => (await backend.handover?.()) ?? []);
}
