/**
 * Deletes single entries of the kernel's connection tracking table.
 *
 * `conntrack -D` finds what it deletes by a dump of the whole table, whatever it is asked, and so does each command of
 * `conntrack -R`: a hundred flows are a hundred dumps. The kernel itself deletes by address and number, so this asks
 * it, in Perl as `nftMonitor.ts` does and for its reasons.
 */
import { findProgram, runCommand } from '../../../system/command.ts';
import type { ToolHost } from '../../../system/command.ts';

/** One entry, as the kernel knows it. */
export interface TrackedFlow {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly port: number;
  /** Tables within the table, for who splits it by rules; 0 where nobody does. */
  readonly zone: number;
  /** Of this very entry: one that takes its place has another, and is left alone. */
  readonly id: number;
}

/**
 * NETLINK_NETFILTER is 12, 0x102 IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK, 5 a request that is to be answered, 17
 * UDP; the attributes are those of linux/netfilter/nfnetlink_conntrack.h. An entry can end by itself before it is
 * deleted.
 */
const deleter = `
use Errno 'ENOENT';
use Socket qw(AF_INET AF_INET6 inet_pton);
sub attribute {
  my ($type, $value) = @_;
  return pack('SS', 4 + length $value, $type) . $value . "\\0" x (-length($value) % 4);
}
socket(my $kernel, 16, 3, 12) or die "socket: $!\\n";
my ($deleted, $failed) = (0, 0);
while (my $line = <STDIN>) {
  my ($source, $source_port, $destination, $port, $zone, $id) = split ' ', $line;
  my ($family, $first) = $source =~ /:/ ? (AF_INET6, 3) : (AF_INET, 1);
  my $addresses = attribute($first, inet_pton($family, $source)) . attribute($first + 1, inet_pton($family, $destination));
  my $ports = attribute(1, pack('C', 17)) . attribute(2, pack('n', $source_port)) . attribute(3, pack('n', $port));
  my $flow = attribute(0x8001, attribute(0x8001, $addresses) . attribute(0x8002, $ports)) . attribute(12, pack('N', $id)) . attribute(18, pack('n', $zone));
  send($kernel, pack('LSSLLCCn', 20 + length $flow, 0x102, 5, $., 0, $family, 0, 0) . $flow, 0) or die "send: $!\\n";
  defined(recv($kernel, my $answer, 4096, 0)) or die "recv: $!\\n";
  $! = -unpack('l', substr($answer, 16, 4));
  if ($! == 0) { $deleted += 1 }
  elsif ($! != ENOENT) { warn "$!\\n"; $failed += 1 }
}
print $deleted;
exit($failed > 0);
`;

const timeoutMs = 30_000;

/**
 * UDP flows of either family. Returns how many there were still. Throws CommandError when the kernel refuses some; the
 * others are deleted.
 */
export async function deleteFlows(
  flows: Iterable<TrackedFlow>,
  signal?: AbortSignal,
  { run = runCommand, find = findProgram }: ToolHost = {},
): Promise<number> {
  const file = (await find('perl')) ?? '/usr/bin/perl';
  return Number(
    await run({ file, args: ['-e', deleter], input: linesOf(flows), timeoutMs, ...(signal && { signal }) }),
  );
}

function* linesOf(flows: Iterable<TrackedFlow>): Generator<string> {
  for (const { source, sourcePort, destination, port, zone, id } of flows)
    yield `${source} ${sourcePort} ${destination} ${port} ${zone} ${id}\n`;
}
