/** What agents leave in the kernel of a node, as the node's own tools tell it. */
import type { RunCommand } from '../../src/system/command.ts';
import { differences, type Snapshot, sortedLines } from '../uml/nodeSnapshot.ts';

export type Mode = 'iptables' | 'ipvs';

/** Rules of both variants, so that a second set of them is seen. */
function commandsOf(mode: Mode): readonly (readonly string[])[] {
  const saves = ['nft', 'legacy'].flatMap((variant) => [[`iptables-${variant}-save`], [`ip6tables-${variant}-save`]]);
  const others =
    mode === 'ipvs'
      ? [
          ['ipset', 'save'],
          ['ipvsadm', '-Sn'],
          ['ip', '-o', 'addr', 'show'],
          ['ip', '-o', 'link', 'show', 'type', 'dummy'],
        ]
      : [];
  return [...saves, ...others, ['nft', 'list', 'tables']];
}

export async function takeRules(mode: Mode, run: RunCommand): Promise<Snapshot> {
  const taken: Record<string, readonly string[]> = {};
  for (const [tool = '', ...args] of commandsOf(mode)) {
    const text = await run({ file: `/usr/sbin/${tool}`, args, timeoutMs: 120_000 });
    taken[[tool, ...args].join(' ')] = linesOf(tool, text);
  }
  return taken;
}

function linesOf(tool: string, text: string): readonly string[] {
  if (tool.endsWith('-save')) return rulesByChain(text);
  // The tables of iptables-nft stay when their last rule goes.
  return tool === 'nft' ? sortedLines(text).filter((line) => line.includes('proxyconfig')) : sortedLines(text);
}

/**
 * Lines of iptables-save without counters, and without the kernel's own chains, which stay when they are empty. The
 * chains are in order of their names, the rules of each in their own.
 */
export function rulesByChain(text: string): readonly string[] {
  let table = '';
  const lines: { readonly chain: string; readonly line: string }[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line;
    const chain = /^(?::|-A )(\S+)/.exec(line)?.[1];
    if (chain === undefined || /^:\S+ [A-Z]/.test(line)) continue;
    lines.push({ chain: `${table} ${chain}`, line: `${table} ${line.replace(/ \[\d+:\d+\]$/, '')}` });
  }
  return lines.toSorted((a, b) => (a.chain < b.chain ? -1 : Number(a.chain > b.chain))).map(({ line }) => line);
}

export function count(rules: Snapshot): number {
  return Object.values(rules).reduce((sum, lines) => sum + lines.length, 0);
}

/** What each has that the other lacks, or has in another order or number; empty when both are alike. */
export function ruleDifferences(actual: Snapshot, wanted: Snapshot): readonly string[] {
  const lines = differences(actual, wanted);
  if (lines.length > 0) return lines;
  const isAlike = (command: string): boolean => actual[command]?.join('\n') === wanted[command]?.join('\n');
  return Object.keys(wanted)
    .filter((command) => !isAlike(command))
    .map((command) => `${command} has the same lines in another order or number`);
}
