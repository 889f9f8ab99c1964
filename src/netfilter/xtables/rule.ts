/**
 * Rules as data, and both wordings of each kind side by side: what iptables-restore is given, and what iptables-save
 * says of it afterwards (1.8.9). Every token is checked on its way out (`checked.ts`).
 *
 * Rules are kept as text, because tens of thousands of objects would be most of what an agent keeps; so the wording of
 * iptables-save is a change of that of iptables-restore, `toSaveFormat`. Where another version of the tool has other
 * words, a chain that holds its very rules already is written again, and nothing else happens.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { Protocol } from '../../model/protocol.ts';
import { checked } from '../checked.ts';

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
  /** `isPlain`: without the module that could match its ports, which kube-proxy asks for as well. */
  readonly protocol: { readonly protocol: Protocol; readonly isPlain?: boolean };
  readonly localSource: object;
  readonly localDestination: { readonly negated?: boolean };
  readonly connectionState: { readonly states: readonly ConnectionState[] };
  readonly mark: { readonly mark: number; readonly negated?: boolean };
  readonly probability: { readonly value: number };
  readonly rememberSource: { readonly list: string };
  readonly sourceRemembered: { readonly list: string; readonly seconds: number };
  /** Which of the packet's sides are looked up in an ipset, in the order of the set's own fields. */
  readonly inSet: { readonly set: string; readonly sides: readonly ('src' | 'dst')[] };
}

interface Targets {
  readonly jump: { readonly chain: string };
  readonly ACCEPT: object;
  readonly DROP: object;
  readonly REJECT: object;
  readonly RETURN: object;
  /** A refusal that TCP clients heed at once; only beside a match of TCP. */
  readonly resetTcp: object;
  readonly masquerade: object;
  readonly orMark: { readonly mark: number };
  readonly xorMark: { readonly mark: number };
  readonly dnat: { readonly to: string };
}

export type ConnectionState = 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID';

type OneOf<Kinds> = { [Kind in keyof Kinds]: { readonly kind: Kind } & Kinds[Kind] }[keyof Kinds];
export type Match = OneOf<Matches>;
export type Target = OneOf<Targets>;

export interface Rule {
  readonly matches: readonly Match[];
  /** Without a target a rule only counts, or carries a comment. */
  readonly target?: Target;
}

interface Wording<Data> {
  /** For iptables-restore. Throws InvalidRule. */
  readonly restore: (data: Data) => string;
  /** Where iptables-save has other words. */
  readonly save?: Rewording;
}

/** From the words of iptables-restore to those of iptables-save. */
interface Rewording {
  /** Every rule with words to replace holds this text. */
  readonly marker: string;
  readonly reword: (rule: string, family: IPFamily) => string;
}

const fullMasks: { readonly [family in IPFamily]: string } = {
  ipv4: '255.255.255.255',
  ipv6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
};
const rejections: { readonly [family in IPFamily]: string } = {
  ipv4: 'icmp-port-unreachable',
  ipv6: 'icmp6-port-unreachable',
};

/** Of source, destination, interface and protocol, iptables-save has the same words in another place. */
const matchWordings: { readonly [Kind in keyof Matches]: Wording<Matches[Kind]> } = {
  // xtables_save_string quotes what is not of these characters alone.
  comment: {
    restore: ({ text }) => `-m comment --comment "${checked.comment(text)}"`,
    save: { marker: '--comment "', reword: (rule) => rule.replace(/(?<=--comment )"([A-Za-z0-9_-]+)"/, '$1') },
  },
  source: { restore: (match) => addressMatch('-s', match) },
  destination: { restore: (match) => addressMatch('-d', match) },
  inInterface: { restore: ({ name, negated }) => `${not(negated)}-i ${checked.interface(name)}` },
  destinationPort: {
    restore: ({ protocol, port }) => `${protocolMatch(protocol)} --dport ${checked.integer(port, 65_535)}`,
  },
  protocol: {
    restore: ({ protocol, isPlain }) => (isPlain === true ? protocolOption(protocol) : protocolMatch(protocol)),
  },
  localSource: { restore: () => '-m addrtype --src-type LOCAL' },
  localDestination: { restore: ({ negated }) => `-m addrtype ${not(negated)}--dst-type LOCAL` },
  connectionState: { restore: ({ states }) => `-m conntrack --ctstate ${states.join(',')}` },
  mark: {
    restore: ({ mark, negated }) => `-m mark ${not(negated)}--mark ${hexMark(mark)}/${hexMark(mark)}`,
    save: { marker: '--mark 0x0', reword: (rule) => rule.replaceAll(leadingZeros, '0x') },
  },
  probability: {
    restore: ({ value }) => `-m statistic --mode random --probability ${checked.probability(value)}`,
    save: {
      marker: '--probability ',
      reword: (rule) => rule.replace(/(?<=--probability )\S+/, inKernel),
    },
  },
  rememberSource: {
    restore: ({ list }) => `-m recent --name ${checked.chain(list)} --set`,
    save: {
      marker: '-m recent --name',
      reword: (rule, family) => rule.replace(/(--name \S+) (--set)/, `$2 $1 --mask ${fullMasks[family]} --rsource`),
    },
  },
  sourceRemembered: {
    restore: ({ list, seconds }) =>
      `-m recent --name ${checked.chain(list)} --rcheck --seconds ${checked.integer(seconds, 86_400)} --reap`,
    save: {
      marker: '-m recent --name',
      reword: (rule, family) =>
        rule.replace(/(--name \S+) (--rcheck --seconds \d+ --reap)/, `$2 $1 --mask ${fullMasks[family]} --rsource`),
    },
  },
  inSet: { restore: ({ set, sides }) => `-m set --match-set ${checked.set(set)} ${sides.join(',')}` },
};

const targetWordings: { readonly [Kind in keyof Targets]: Wording<Targets[Kind]> } = {
  jump: { restore: ({ chain }) => `-j ${checked.chain(chain)}` },
  ACCEPT: { restore: () => '-j ACCEPT' },
  DROP: { restore: () => '-j DROP' },
  REJECT: {
    restore: () => '-j REJECT',
    save: {
      marker: '-j REJECT',
      reword: (rule, family) => (rule.endsWith('-j REJECT') ? `${rule} --reject-with ${rejections[family]}` : rule),
    },
  },
  RETURN: { restore: () => '-j RETURN' },
  resetTcp: { restore: () => '-j REJECT --reject-with tcp-reset' },
  masquerade: { restore: () => '-j MASQUERADE --random-fully' },
  orMark: {
    restore: ({ mark }) => `-j MARK --or-mark ${hexMark(mark)}`,
    save: {
      marker: '--or-mark ',
      reword: (rule) => rule.replaceAll(leadingZeros, '0x').replace(/--or-mark (\S+)/, '--set-xmark $1/$1'),
    },
  },
  xorMark: {
    restore: ({ mark }) => `-j MARK --xor-mark ${hexMark(mark)}`,
    save: {
      marker: '--xor-mark ',
      reword: (rule) => rule.replaceAll(leadingZeros, '0x').replace(/--xor-mark (\S+)/, '--set-xmark $1/0x0'),
    },
  },
  dnat: { restore: ({ to: socket }) => `-j DNAT --to-destination ${checked.socketAddress(socket)}` },
};

/** The rule as iptables-restore takes it, without the `-A CHAIN` before it. Throws InvalidRule. */
export function formatRule(rule: Rule): string {
  const matches = rule.matches.map((match) => restoreWords(matchWordings, match));
  return (rule.target === undefined ? matches : [...matches, restoreWords(targetWordings, rule.target)]).join(' ');
}

function restoreWords<Kinds extends object>(
  wordings: { readonly [Kind in keyof Kinds]: Wording<Kinds[Kind]> },
  part: { readonly kind: keyof Kinds },
): string {
  // TypeScript does not see that a record indexed by a union's tag gives the function for that very member.
  return (wordings[part.kind].restore as (data: object) => string)(part);
}

const rewordings: readonly Rewording[] = [...Object.values(matchWordings), ...Object.values(targetWordings)].flatMap(
  ({ save }) => save ?? [],
);

/** Source, destination, incoming interface, protocol; quoted text is matched to be passed over. */
const leading = /"[^"]*"|(?<![^ ])(?:! )?-([sdip]) \S+ ?/g;
const order = 'sdip';

/**
 * `rule`: as `formatRule` gives it. Returns what iptables-save says of it, without `-A CHAIN`: addresses, interface and
 * protocol first, and its own words for some kinds.
 */
export function toSaveFormat(rule: string, family: IPFamily): string {
  const first: string[] = ['', '', '', ''];
  let rest = rule.replace(leading, (text: string, option: string | undefined) => {
    if (option === undefined) return text;
    first[order.indexOf(option)] = text.endsWith(' ') ? text : `${text} `;
    return '';
  });
  for (const { marker, reword } of rewordings) if (rest.includes(marker)) rest = reword(rest, family);
  return (first.join('') + rest).trimEnd();
}

function addressMatch(option: '-s' | '-d', { network, negated }: Network): string {
  const single = network.includes(':') ? '/128' : '/32';
  return `${not(negated)}${option} ${checked.network(network)}${network.includes('/') ? '' : single}`;
}

function protocolMatch(protocol: Protocol): string {
  return `${protocolOption(protocol)} -m ${protocol.toLowerCase()}`;
}

function protocolOption(protocol: Protocol): string {
  return `-p ${checked.protocol(protocol.toLowerCase())}`;
}

function not(negated: boolean | undefined): string {
  return negated === true ? '! ' : '';
}

/** As kube-proxy writes it, e.g. `0x00004000`. */
function hexMark(mark: number): string {
  return `0x${checked.integer(mark, 0xff_ff_ff_ff).toString(16).padStart(8, '0')}`;
}

const leadingZeros = /0x0+(?=[0-9a-f])/g;

/** The kernel keeps 31 bits of a probability (xt_statistic.h), and iptables-save says 11 digits of these. */
function inKernel(probability: string): string {
  return (Math.round(Number(probability) * 2 ** 31) / 2 ** 31).toFixed(11);
}

export const inSet = (set: string, ...sides: readonly ('src' | 'dst')[]): Match => ({ kind: 'inSet', set, sides });
export const comment = (text: string): Match => ({ kind: 'comment', text });
export const from = (network: string): Match => ({ kind: 'source', network });
export const notFrom = (network: string): Match => ({ kind: 'source', network, negated: true });
export const to = (network: string): Match => ({ kind: 'destination', network });
export const notTo = (network: string): Match => ({ kind: 'destination', network, negated: true });
export const jumpTo = (chain: string): Target => ({ kind: 'jump', chain });
export const localSource: Match = { kind: 'localSource' };
export const localDestination: Match = { kind: 'localDestination' };
export const notLocalDestination: Match = { kind: 'localDestination', negated: true };
export const newConnection: Match = { kind: 'connectionState', states: ['NEW'] };
