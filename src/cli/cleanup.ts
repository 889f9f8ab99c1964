/**
 * @module `proxyconfig cleanup`: takes every kernel object of ours off this node, whichever mode put it there.
 */
import type { ProxyMode } from '../api/nodeConfig.ts';
import { createBackend, refusalOf } from '../backend/registry.ts';
import { ipFamilies } from '../model/ipFamily.ts';

const allModes: readonly ProxyMode[] = ['iptables', 'ipvs', 'nftables', 'userspace'];

/** Resolves to the exit status. What could be removed is removed, also when something else could not. */
export async function cleanupCommand({ stdout, stderr }: Pick<typeof process, 'stdout' | 'stderr'>): Promise<number> {
  const modes = allModes.filter((mode) => refusalOf(mode) === undefined);
  const parts = modes.flatMap((mode) => ipFamilies.map((family) => ({ mode, family })));
  let removed = 0;
  let failures = 0;
  for (const { mode, family } of parts) {
    try {
      const objects = await createBackend(mode, family).cleanup();
      for (const object of objects) stdout.write(`removed ${family} ${object}\n`);
      removed += objects.length;
    } catch (error) {
      stderr.write(`error: ${mode}, ${family}: ${error instanceof Error ? error.message : String(error)}\n`);
      failures += 1;
    }
  }
  stdout.write(removed === 0 ? 'nothing of ours was found\n' : `${removed} objects removed\n`);
  return failures === 0 ? 0 : 1;
}
