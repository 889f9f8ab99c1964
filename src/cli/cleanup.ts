/**
 * @module `proxyconfig cleanup`: takes every kernel object of ours off this node, whichever mode put it there; or with --handover only what
 * kube-proxy would not know, so that it can take over while Services go on working.
 */
import type { ProxyMode } from '../api/nodeConfig.ts';
import { createBackend, refusalOf } from '../backend/registry.ts';
import { ipFamilies } from '../model/ipFamily.ts';

const allModes: readonly ProxyMode[] = ['iptables', 'ipvs', 'nftables', 'userspace'];

export interface CleanupFlags {
  readonly handover: boolean;
}

/** Resolves to the exit status. What could be removed is removed, also when something else could not. */
export async function cleanupCommand({ handover }: CleanupFlags, { stdout, stderr }: Pick<typeof process, 'stdout' | 'stderr'>): Promise<number> {
  const modes = allModes.filter((mode) => refusalOf(mode) === undefined);
  const parts = modes.flatMap((mode) => ipFamilies.map((family) => ({ mode, family })));
  let removed = 0;
  let failures = 0;
  for (const { mode, family } of parts) {
    try {
      const backend = createBackend(mode, family);
      const objects = handover ? ((await backend.handover?.()) ?? []) : await backend.cleanup();
      for (const object of objects) stdout.write(`removed ${family} ${object}\n`);
      removed += objects.length;
    } catch (error) {
      stderr.write(`error: ${mode}, ${family}: ${error instanceof Error ? error.message : String(error)}\n`);
      failures += 1;
    }
  }
  const nothing = handover ? 'nothing stands in the way of kube-proxy' : 'nothing of ours was found';
  stdout.write(removed === 0 ? `${nothing}\n` : `${removed} objects removed\n`);
  return failures === 0 ? 0 : 1;
}
