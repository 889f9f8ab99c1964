/**
 * What may stand in the input of a tool. Every token of a rule, a set's entry and a virtual server is checked here on
 * its way out: a line end or a quote that some object smuggled in would otherwise become a rule of its own (an iptables
 * comment with a newline in it does).
 */
import { SyncError } from './errors.ts';

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

/** xt_comment holds 255 bytes. */
const maxCommentLength = 255;

/** What may stand in a tool's input, by kind; each throws InvalidRule for anything else. */
export const checked = {
  comment: token('comment', new RegExp(String.raw`^[A-Za-z0-9 .,:;+/>[\]_()-]{1,${maxCommentLength}}$`)),
  chain: token('chain', /^[A-Z][A-Z0-9-]{0,27}$/),
  /** ipset takes 31 characters. */
  set: token('set', /^[A-Z][A-Z0-9-]{0,30}$/),
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
