/**
 * How iptables-save words the rules that we write, so that a chain which holds its very rules already is left alone.
 * The tool puts addresses, interfaces and protocol first and spells some options out (1.8.9). Where another version has
 * other words, chains are written again that need not be, and nothing else happens.
 */
import { hash } from 'node:crypto';
import type { IPFamily } from '../../model/ipFamily.ts';

interface Wording {
  readonly reject: string;
  readonly fullMask: string;
}

const wordings: { readonly [family in IPFamily]: Wording } = {
  ipv4: { reject: 'icmp-port-unreachable', fullMask: '255.255.255.255' },
  ipv6: { reject: 'icmp6-port-unreachable', fullMask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' },
};

/** Source, destination, incoming interface, protocol; quoted text is matched to be passed over. */
const leading = /"[^"]*"|(?<![^ ])(?:! )?-([sdip]) \S+ ?/g;
const order = 'sdip';

/** `rule`: as `formatRule` gives it. Returns what iptables-save says of it, without `-A CHAIN`. */
export function toSaveFormat(rule: string, family: IPFamily): string {
  const first: string[] = ['', '', '', ''];
  const rest = rule.replace(leading, (text: string, option: string | undefined) => {
    if (option === undefined) return text;
    first[order.indexOf(option)] = text.endsWith(' ') ? text : `${text} `;
    return '';
  });
  return (first.join('') + spelledOut(rest, wordings[family])).trimEnd();
}

function spelledOut(rule: string, { reject, fullMask }: Wording): string {
  if (rule.includes('--probability ')) return rule.replace(/(?<=--probability )\S+/, inKernel);
  if (rule.includes('-m recent '))
    return rule.replace(
      /-m recent (--name \S+) (--set|--rcheck --seconds \d+ --reap)/,
      `-m recent $2 $1 --mask ${fullMask} --rsource`,
    );
  if (rule.endsWith('-j REJECT')) return `${rule} --reject-with ${reject}`;
  if (!rule.includes('mark 0x')) return rule;
  const short = rule.replaceAll(/0x0+(?=[0-9a-f])/g, '0x');
  return short.replace(/--or-mark (\S+)/, '--set-xmark $1/$1').replace(/--xor-mark (\S+)/, '--set-xmark $1/0x0');
}

/** The kernel keeps 31 bits of a probability (xt_statistic.h), and iptables-save says 11 digits of these. */
function inKernel(probability: string): string {
  return (Math.round(Number(probability) * 2 ** 31) / 2 ** 31).toFixed(11);
}

/** A hash of the rules of one chain, in base64; '' where there are none. */
export function digestOfSaveFormat(rules: readonly string[]): string {
  return rules.length === 0 ? '' : hash('sha256', rules.join('\n'), 'base64');
}
