/**
 * Tables of nftables, whole.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import { findProgram, runCommand, type ToolHost } from '../../../system/command.ts';
import { isToolFailure, runTool } from '../../errors.ts';

const timeoutMs = 30_000;
const families: { readonly [family in IPFamily]: string } = { ipv4: 'ip', ipv6: 'ip6' };

/**
 * Deletes a table, or in a dry run only looks for it. Returns whether it was there; false also without nft, and where
 * the kernel has no nftables. Throws a SyncError.
 */
export async function deleteTable(
  name: string,
  { family, host: { run = runCommand, find = findProgram } }: { readonly family: IPFamily; readonly host: ToolHost },
  { isDryRun = false }: { readonly isDryRun?: boolean } = {},
): Promise<boolean> {
  const file = await runTool('nft', () => find('nft'));
  if (file === undefined) return false;
  let isThere = false;
  try {
    const onLine = (line: string): void => void (isThere ||= line === `table ${families[family]} ${name}`);
    await runTool('nft', () => run({ file, args: ['list', 'tables', families[family]], onLine, timeoutMs }));
  } catch (error) {
    if (!isToolFailure(error)) throw error;
  }
  if (isThere && !isDryRun)
    await runTool('nft', () => run({ file, args: ['delete', 'table', families[family], name], timeoutMs }));
  return isThere;
}
