/**
 * The kernel's table of tracked UDP flows. Nothing is decided here.
 *
 * Reading it is one dump by the program conntrack. So would be each `conntrack -D`, which is why what was found is
 * deleted without it.
 */
import { CommandError, findProgram, runCommand } from '../../../system/command.ts';
import { deleteFlows, type TrackedFlow } from './deleteFlows.ts';
import type { ToolHost } from '../../../system/command.ts';

/** Where a flow was sent, and who answers it: the same, unless an address was translated. */
export interface UdpFlow extends TrackedFlow {
  readonly replySource: string;
  readonly replyPort: number;
}

export interface Conntrack {
  /** Gives all UDP flows of a family to `onFlow`, one by one. Throws CommandError. */
  listUdp(family: 'ipv4' | 'ipv6', onFlow: (flow: UdpFlow) => void, signal?: AbortSignal): Promise<void>;
  /** Just these, in one run that reads no table. Returns how many there were still. Throws CommandError. */
  deleteUdp(flows: readonly UdpFlow[], signal?: AbortSignal): Promise<number>;
}

const timeoutMs = 30_000;

export function conntrack({ run = runCommand, find = findProgram }: ToolHost = {}): Conntrack {
  return {
    listUdp: async (family, onFlow, signal) => {
      const onLine = (line: string): void => {
        const flow = parseFlow(line);
        if (flow !== undefined) onFlow(flow);
      };
      const file = (await find('conntrack')) ?? '/usr/sbin/conntrack';
      await run({
        file,
        args: ['-L', '-p', 'udp', '-f', family, '-o', 'id'],
        onLine,
        timeoutMs,
        ...(signal && { signal }),
      });
    },
    deleteUdp: (flows, signal) => deleteFlows(flows, signal, { run, find }),
  };
}

const words =
  /^udp +17 \d+ src=(?<source>\S+) dst=(?<destination>\S+) sport=(?<sourcePort>\d+) dport=(?<port>\d+) .*?src=(?<replySource>\S+) dst=\S+ sport=(?<replyPort>\d+) (?:.* zone(?:-orig)?=(?<zone>\d+))?.* id=(?<id>\d+)/;

/**
 * A line of `conntrack -L -o id`, e.g. `udp 17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 src=10.1.0.2
 * dst=10.0.0.1 sport=53 dport=4000 mark=0 use=1 id=7`.
 */
export function parseFlow(line: string): UdpFlow | undefined {
  const found = words.exec(line)?.groups;
  if (found === undefined) return undefined;
  const { source = '', sourcePort, destination = '', port, replySource = '', replyPort, zone = 0, id } = found;
  return {
    source,
    sourcePort: Number(sourcePort),
    destination,
    port: Number(port),
    replySource,
    replyPort: Number(replyPort),
    zone: Number(zone),
    id: Number(id),
  };
}

/**
 * Ends all flows that were sent to an address and port, of any protocol: the next packet of each is a new one to the
 * rules. Throws CommandError.
 */
export async function endFlowsTo(
  to: { protocol: string; address: string; port: string },
  family: 'ipv4' | 'ipv6',
  { run = runCommand, find = findProgram }: ToolHost = {},
): Promise<void> {
  const file = await find('conntrack');
  if (file === undefined) return;
  const args = [
    '-D',
    '-p',
    to.protocol.toLowerCase(),
    '-f',
    family,
    '--orig-dst',
    to.address,
    '--orig-port-dst',
    to.port,
  ];
  await run({ file, args, onLine: () => undefined, timeoutMs }).catch(unlessNothingToDelete);
}

/** Exit status 1 says that there was nothing to delete: a flow can end by itself in between. */
function unlessNothingToDelete(error: unknown): void {
  if (!(error instanceof CommandError && error.exitCode === 1)) throw error;
}
