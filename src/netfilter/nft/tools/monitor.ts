/**
 * Notices at once when somebody throws rules of ours away: by what the kernel reports of the tables that nft and
 * iptables-nft share.
 *
 * Our own changes delete rules too, but a flushed table loses its canary and a flushed ruleset its tables, which ours
 * hardly ever do. An event can be lost, so this is beside the periodic check, not in its place. Where the kernel says
 * that events were lost, everything may be.
 */
import { keepRunning, type LongRunning, type LongRunningOptions } from '../../../system/longRunning.ts';

/** What the kernel reports when rules are flushed. */
export interface WatchedNames {
  /** Of the tables whose deletion is a loss. */
  readonly tables: readonly string[];
  /** Of the chains of any table whose deletion, or that of a rule in them, is a loss. */
  readonly chains: readonly string[];
  /** `TABLE CHAIN` of those in which rules of ours stand among others': a deleted rule may be one of them. */
  readonly shared: readonly string[];
}

export interface Loss {
  readonly family: 'ipv4' | 'ipv6';
  /** What was deleted may be another program's. */
  readonly mayBeOthers: boolean;
}

/** `onReady`: the monitor listens. `onEnd`: it has ended, and is started again. */
export interface NftMonitorOptions extends Pick<LongRunningOptions, 'onReady' | 'onEnd'> {
  readonly names: WatchedNames;
  /** Rules of ours may be lost. */
  readonly onLoss: (loss: Loss) => void;
  /** How much the kernel keeps until it is read. */
  readonly bufferBytes?: number;
}

/**
 * The messages of a large flush or sync; with the kernel's usual 200 KB most of them are lost at 12,000 Services. No
 * memory is taken before it is needed.
 */
const defaultBufferBytes = 1 << 24;

/**
 * Node has no netlink sockets. `nft monitor` reads and keeps every rule there is before it listens (428 MB and 7 s of
 * CPU on a node with 10,000 Services, nft 1.0.6), and xtables-monitor ends at the first rule that is not iptables'.
 * Perl is in every Debian (perl-base) and takes 5 MB: NETLINK_NETFILTER is 12, the group of nftables 7, and its
 * messages begin with table and chain (linux/netfilter/nf_tables.h). SO_RCVBUFFORCE is 33; where it is not allowed, the
 * usual buffer overruns sooner, and an overrun is reported.
 */
const listener = `
my %what = (0xa02 => 'table', 0xa05 => 'chain', 0xa08 => 'rule');
my %family = (2 => 'ip', 10 => 'ip6');
my %watched = map { $_ => 1 } split / /, $ARGV[1];
socket(my $kernel, 16, 3, 12) or die;
setsockopt($kernel, 1, 33, pack('L', $ARGV[0]));
bind($kernel, pack('SSLL', 16, 0, 0, 1 << 6)) or die;
$| = 1;
print "listening\\n";
while (1) {
  my $sender = recv($kernel, my $data, 1 << 17, 0);
  if (!defined $sender) {
    $!{ENOBUFS} or die;
    print "overrun\\n";
    next;
  }
  for (my $at = 0; $at + 24 <= length $data; ) {
    my ($length, $type) = unpack('LS', substr($data, $at, 6));
    last if $length < 16;
    my $what = $what{$type};
    if ($what) {
      my ($family, $size) = (ord(substr($data, $at + 16, 1)), unpack('S', substr($data, $at + 20, 2)));
      my $table = unpack('Z*', substr($data, $at + 24, $size - 4));
      my $chain = $what eq 'table' ? '' : unpack('Z*', substr($data, $at + 24 + (($size + 3) & ~3), 64));
      print "delete $what $family{$family} $table $chain\\n" if $family{$family} && ($what eq 'table' || $watched{$chain});
    }
    $at += ($length + 3) & ~3;
  }
}
`;

/** Runs until it is stopped. */
export function watchForLosses({
  names,
  onLoss,
  bufferBytes = defaultBufferBytes,
  ...on
}: NftMonitorOptions): LongRunning {
  const onLine = (line: string): void => {
    for (const loss of lossesIn(line, names)) onLoss(loss);
  };
  // The signal ends it with this process, however that ends; else it would wait for the next event.
  return keepRunning({
    program: 'setpriv',
    args: ['--pdeathsig', 'KILL', 'perl', '-e', listener, String(bufferBytes), watchedChains(names).join(' ')],
    onLine,
    ...on,
  });
}

function watchedChains({ chains, shared }: WatchedNames): readonly string[] {
  return [...new Set([...chains, ...shared.map((each) => each.slice(each.indexOf(' ') + 1))])];
}

const deletion = /^delete (?<what>table|chain|rule) (?<ip>ip6?) (?<table>\S+)(?: (?<chain>\S+))?/;

/** What a line of the listener says that may be lost of ours. */
export function lossesIn(line: string, { tables, chains, shared }: WatchedNames): readonly Loss[] {
  if (line === 'overrun')
    return [
      { family: 'ipv4', mayBeOthers: false },
      { family: 'ipv6', mayBeOthers: false },
    ];
  const { what, ip, table = '', chain = '' } = deletion.exec(line)?.groups ?? {};
  const family = ip === 'ip' ? 'ipv4' : 'ipv6';
  const isOurs = what === 'table' ? tables.includes(table) : chains.includes(chain);
  if (isOurs) return [{ family, mayBeOthers: false }];
  return what === 'rule' && shared.includes(`${table} ${chain}`) ? [{ family, mayBeOthers: true }] : [];
}
