import type { RunCommand } from '../../src/system/command.ts';

/**
 * Leaves the mark by which a kubelet says which of the kernel's two iptables its node uses: mode ipvs has no setting for
 * that. `argument` is `nft` or `legacy`.
 */
export async function leaveKubeletMark(run: RunCommand, argument: string | undefined): Promise<void> {
  if (argument !== 'nft' && argument !== 'legacy') throw new Error('nft or legacy');
  for (const tool of ['iptables', 'ip6tables'])
    await run({
      file: `/usr/sbin/${tool}-${argument}`,
      args: ['-t', 'mangle', '-N', 'KUBE-IPTABLES-HINT'],
      timeoutMs: 120_000,
    });
}
