/**
 * The kernel's table of tracked UDP flows, through the program conntrack. Nothing is decided here.
 *
 * Reading it is one dump of the table. So is every `conntrack -D`, which is why only what was found is deleted, one run for all flows that are alike.
 */
import { CommandError, findProgram, type RunCommand, runCommand } from './command.ts';
import type { IptablesHost } from './iptables.ts';

/** Where a flow was sent, and who answers it: the same, unless an address was translated. */
export interface UdpFlow {
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
  readonly replyPort: number;
}

export interface Conntrack {
  /** Throws CommandError. */
  listUdp(family: 'ipv4' | 'ipv6', onFlow: (flow: UdpFlow) => void, signal?: AbortSignal): Promise<void>;
  /** All flows that are like one of these. Throws CommandError. */
  deleteUdp(family: 'ipv4' | 'ipv6', flows: readonly UdpFlow[], signal?: AbortSignal): Promise<void>;
}

const timeoutMs = 30_000;

export function conntrack({ run = runCommand, find = findProgram }: IptablesHost = {}): Conntrack {
  const program = async (): Promise<string> => (await find('conntrack')) ?? '/usr/sbin/conntrack';
  return {
    listUdp: async (family, onFlow, signal) => {
      const onLine = (line: string): void => {
        const flow = parseFlow(line);
        if (flow !== undefined) onFlow(flow);
      };
      await run({ file: await program(), args: ['-L', '-p', 'udp', '-f', family], onLine, timeoutMs, ...(signal && { signal }) });
    },
    deleteUdp: async (family, flows, signal) => {
      for (const flow of flows) await deleteLike(flow, { run, file: await program(), family, ...(signal && { signal }) });
    },
  };
}

const tuples = /^udp +17 \d+ src=\S+ dst=(?<destination>\S+) sport=\d+ dport=(?<port>\d+) .*?src=(?<replySource>\S+) dst=\S+ sport=(?<replyPort>\d+) /;

/** A line of `conntrack -L`, e.g. `udp 17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 src=10.1.0.2 dst=10.0.0.1 sport=53 dport=4000 mark=0 use=1`. */
export function parseFlow(line: string): UdpFlow | undefined {
  const { destination, port, replySource, replyPort } = tuples.exec(line)?.groups ?? {};
  if (destination === undefined || replySource === undefined) return undefined;
  return { destination, port: Number(port), replySource, replyPort: Number(replyPort) };
}

interface Deletion {
  readonly run: RunCommand;
  readonly file: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly signal?: AbortSignal;
}

/** The addresses are the kernel's own words. */
async function deleteLike({ destination, port, replySource, replyPort }: UdpFlow, { family, ...how }: Deletion): Promise<void> {
  const args = ['-D', '-p', 'udp', '-f', family, '--orig-dst', destination, '--orig-port-dst', `${port}`, '--reply-src', replySource, '--reply-port-src', `${replyPort}`];
  const { run, ...command } = how;
  await run({ ...command, args, onLine: () => undefined, timeoutMs }).catch(unlessNothingToDelete);
}

/** Ends all flows that were sent to an address and port, of any protocol: the next packet of each is a new one to the rules. Throws CommandError. */
export async function endFlowsTo(to: { protocol: string; address: string; port: string }, family: 'ipv4' | 'ipv6', { run = runCommand, find = findProgram }: IptablesHost = {}): Promise<void> {
  const file = await find('conntrack');
  if (file === undefined) return;
  const args = ['-D', '-p', to.protocol.toLowerCase(), '-f', family, '--orig-dst', to.address, '--orig-port-dst', to.port];
  await run({ file, args, onLine: () => undefined, timeoutMs }).catch(unlessNothingToDelete);
}

/** Exit status 1 says that there was nothing to delete: a flow can end by itself in between. */
function unlessNothingToDelete(error: unknown): void {
  if (!(error instanceof CommandError && error.exitCode === 1)) throw error;
}
