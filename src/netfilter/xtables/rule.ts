/**
 * Rules as data, and the only place that formats them. Every token is checked on its way out: a line end or a quote
 * that some object smuggled in would otherwise become a rule of its own (an iptables comment with a newline in it
 * does).
 */
import type { Protocol } from '../../model/service.ts';
import { SyncError } from '../errors.ts';

interface Network {
  readonly network: string;
  readonly negated?: boolean;
}

interface Matches {
  readonly comment: { readonly text: string };
  readonly source: Network;
  readonly destination: Network;
  readonly inInterface: { readonly name: string; readonly negated?: boolean };
  readonly destinationPort: { readonly protocol: Protocol; readonly port: number };
  readonly protocol: { readonly protocol: Protocol };
  readonly localSource: object;
  readonly localDestination: object;
  readonly connectionState: { readonly states: readonly ConnectionState[] };
  readonly mark: { readonly mark: number; readonly negated?: boolean };
  readonly probability: { readonly value: number };
  readonly rememberSource: { readonly list: string };
  readonly sourceRemembered: { readonly list: string; readonly seconds: number };
  /** Which of the packet's sides are looked up in an ipset, in the order of the set's own fields. */
  readonly inSet: { readonly set: string; readonly sides: readonly ('src' | 'dst')[] };
}

export type Match = { [Kind in keyof Matches]: { readonly kind: Kind } & Matches[Kind] }[keyof Matches];

export type ConnectionState = 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID';

export type Target =
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'ACCEPT' | 'DROP' | 'REJECT' | 'RETURN' }
  /** A refusal that TCP clients heed at once; only beside a match of TCP. */
  | { readonly kind: 'resetTcp' }
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'orMark' | 'xorMark'; readonly mark: number }
  | { readonly kind: 'dnat'; readonly to: string };

export interface Rule {
  readonly matches: readonly Match[];
  /** Without a target a rule only counts, or carries a comment. */
  readonly target?: Target;
}

/**
 * A rule with something in it that must not reach the kernel. Decoding lets no such thing in: this is the last barrier.
 * What it is stands in `cause` alone.
 */
export class InvalidRule extends SyncError {
  override readonly name = 'InvalidRule';
  constructor(what: string) {
    super('InvalidRule', 'a rule holds something that must not reach the kernel', { cause: new Error(what) });
  }
}

/** The rule as iptables-restore takes it, without the `-A CHAIN` before it. Throws InvalidRule. */
export function formatRule(rule: Rule): string {
  const matches = rule.matches.map(formatMatch);
  return (rule.target === undefined ? matches : [...matches, formatTarget(rule.target)]).join(' ');
}

const formatters: { readonly [Kind in keyof Matches]: (match: Matches[Kind]) => string } = {
  comment: ({ text }) => `-m comment --comment "${checked.comment(text)}"`,
  source: (match) => addressMatch('-s', match),
  destination: (match) => addressMatch('-d', match),
  inInterface: ({ name, negated }) => `${not(negated)}-i ${checked.interface(name)}`,
  destinationPort: ({ protocol, port }) => `${protocolMatch(protocol)} --dport ${checked.integer(port, 65_535)}`,
  protocol: ({ protocol }) => protocolMatch(protocol),
  localSource: () => '-m addrtype --src-type LOCAL',
  localDestination: () => '-m addrtype --dst-type LOCAL',
  connectionState: ({ states }) => `-m conntrack --ctstate ${states.join(',')}`,
  mark: ({ mark, negated }) => `-m mark ${not(negated)}--mark ${maskedMark(mark)}`,
  probability: ({ value }) => `-m statistic --mode random --probability ${checked.probability(value)}`,
  rememberSource: ({ list }) => `-m recent --name ${checked.chain(list)} --set`,
  sourceRemembered: ({ list, seconds }) =>
    `-m recent --name ${checked.chain(list)} --rcheck --seconds ${checked.integer(seconds, 86_400)} --reap`,
  inSet: ({ set, sides }) => `-m set --match-set ${checked.set(set)} ${sides.join(',')}`,
};

function formatMatch(match: Match): string {
  // TypeScript does not see that a record indexed by a union's tag gives the function for that very member.
  return (formatters[match.kind] as (each: Match) => string)(match);
}

function formatTarget(target: Target): string {
  switch (target.kind) {
    case 'jump':
      return `-j ${checked.chain(target.chain)}`;
    case 'ACCEPT':
    case 'DROP':
    case 'REJECT':
    case 'RETURN':
      return `-j ${target.kind}`;
    case 'resetTcp':
      return '-j REJECT --reject-with tcp-reset';
    case 'masquerade':
      return '-j MASQUERADE --random-fully';
    case 'orMark':
      return `-j MARK --or-mark ${hexMark(target.mark)}`;
    case 'xorMark':
      return `-j MARK --xor-mark ${hexMark(target.mark)}`;
    case 'dnat':
      return `-j DNAT --to-destination ${checked.socketAddress(target.to)}`;
    default:
      return target satisfies never;
  }
}

function addressMatch(option: '-s' | '-d', { network, negated }: Network): string {
  const single = network.includes(':') ? '/128' : '/32';
  return `${not(negated)}${option} ${checked.network(network)}${network.includes('/') ? '' : single}`;
}

function protocolMatch(protocol: Protocol): string {
  const name = checked.protocol(protocol.toLowerCase());
  return `-p ${name} -m ${name}`;
}

function not(negated: boolean | undefined): string {
  return negated === true ? '! ' : '';
}

function maskedMark(mark: number): string {
  return `${hexMark(mark)}/${hexMark(mark)}`;
}

/** As kube-proxy writes it, e.g. `0x00004000`. */
function hexMark(mark: number): string {
  return `0x${checked.integer(mark, 0xff_ff_ff_ff).toString(16).padStart(8, '0')}`;
}

/** xt_comment holds 255 bytes. */
const maxCommentLength = 255;

/** What may stand in a tool's input, by kind; each throws InvalidRule for anything else. */
export const checked = {
  comment: token('comment', new RegExp(String.raw`^[A-Za-z0-9 .,:;+/>[\]_()-]{1,${maxCommentLength}}$`)),
  chain: token('chain', /^[A-Z][A-Z0-9-]{0,27}$/),
  /** ipset takes 31 characters. */
  set: token('set', /^KUBE-[A-Z0-9-]{1,26}$/),
  /** As many characters as the CRD allows and the kernel knows, of which the last may say `whatever follows`. */
  interface: token('interface', /^[A-Za-z0-9_.]([A-Za-z0-9_.-]{0,14}|[A-Za-z0-9_.-]{0,13}\+)$/),
  network: token('address', /^[0-9a-f.:]{2,39}(\/\d{1,3})?$/),
  socketAddress: token('socket address', /^(\[[0-9a-f:]+\]|[0-9.]+):\d{1,5}$/),
  protocol: token('protocol', /^(tcp|udp|sctp)$/),
  integer: (value: number, max: number): number => {
    if (!Number.isInteger(value) || value < 0 || value > max)
      throw new InvalidRule(`${value} is not a whole number up to ${max}`);
    return value;
  },
  probability: (value: number): string => {
    if (!(value > 0 && value <= 1)) throw new InvalidRule(`${value} is not a probability`);
    return value.toFixed(10);
  },
};

function token(what: string, pattern: RegExp): (text: string) => string {
  return (text) => {
    // `$` would let a final line end pass only with the m flag, which no pattern here has.
    if (!pattern.test(text)) throw new InvalidRule(`${JSON.stringify(text)} is not a valid ${what}`);
    return text;
  };
}

export const inSet = (set: string, ...sides: readonly ('src' | 'dst')[]): Match => ({ kind: 'inSet', set, sides });
export const comment = (text: string): Match => ({ kind: 'comment', text });
export const from = (network: string): Match => ({ kind: 'source', network });
export const to = (network: string): Match => ({ kind: 'destination', network });
export const notTo = (network: string): Match => ({ kind: 'destination', network, negated: true });
export const jumpTo = (chain: string): Target => ({ kind: 'jump', chain });
export const localSource: Match = { kind: 'localSource' };
export const localDestination: Match = { kind: 'localDestination' };
export const newConnection: Match = { kind: 'connectionState', states: ['NEW'] };
