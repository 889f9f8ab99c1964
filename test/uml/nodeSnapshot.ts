/** All that a mode may leave on a node, as the node's own tools tell it. */
import type { RunCommand } from '../../src/system/command.ts';

export type Snapshot = Readonly<Record<string, readonly string[]>>;

/** Both iptables: rules in the one that the node does not use must go, too. */
const commands: readonly (readonly string[])[] = [
  ['/usr/sbin/iptables-nft-save'],
  ['/usr/sbin/ip6tables-nft-save'],
  ['/usr/sbin/iptables-legacy-save'],
  ['/usr/sbin/ip6tables-legacy-save'],
  ['/usr/sbin/ipset', 'save'],
  ['/usr/sbin/ipvsadm', '-Sn'],
  ['/usr/sbin/ip', '-o', 'addr', 'show'],
  ['/usr/sbin/ip', '-o', 'link', 'show', 'type', 'dummy'],
];

export async function takeSnapshot(run: RunCommand): Promise<Snapshot> {
  const taken: Record<string, readonly string[]> = {};
  for (const [file = '', ...args] of commands)
    taken[[file.split('/').at(-1), ...args].join(' ')] = sortedLines(await run({ file, args, timeoutMs: 120_000 }));
  return taken;
}

/**
 * Without counters, times, the kernel's own chains and the numbers of devices. Sorted: a chain that both modes have
 * stays where it is when they change, so jumps of the kernel's chains may stand in another order, which none of them
 * depends on.
 */
export function sortedLines(text: string): readonly string[] {
  let table = '';
  const lines = text.split('\n').filter((line) => line !== '' && !/^#|^COMMIT$|^:\S+ [A-Z]/.test(line));
  const inTable = lines.flatMap((line) => {
    if (line.startsWith('*')) table = `${line} `;
    if (line.startsWith('*')) return [];
    return line.startsWith(':') || (table !== '' && line.startsWith('-')) ? table + line : line;
  });
  return inTable
    .map((line) =>
      line
        .replace(/ \[\d+:\d+\]$/, '')
        .replace(/ initval \S+/, '')
        .replace(/^\d+: /, '')
        .replace(/ link\/ether \S+/, ''),
    )
    .sort();
}

/** What each has that the other lacks; empty when both are alike. */
export function differences(actual: Snapshot, wanted: Snapshot): readonly string[] {
  return Object.keys(wanted).flatMap((command) => {
    const [is, ought] = [actual[command] ?? [], wanted[command] ?? []];
    return [
      ...missing(is, ought).map((line) => `${command} lacks: ${line}`),
      ...missing(ought, is).map((line) => `${command} has besides: ${line}`),
    ].slice(0, 5);
  });
}

function missing(from: readonly string[], lines: readonly string[]): readonly string[] {
  const there = new Set(from);
  return lines.filter((line) => !there.has(line));
}
