/**
 * Frontends: dispatch rules that lead from an address of a Service to its chains, and the order in which a tree of
 * chains has them.
 */
import ipaddr from 'ipaddr.js';
import type { IPFamily } from '../../../model/ipFamily.ts';
import { familyOf } from '../../../model/ipFamily.ts';
import { services } from '../kubeChains.ts';
import type { FormattedDispatchRule } from './format.ts';
import { compareDispatch } from './format.ts';

export const addressBits: { readonly [family in IPFamily]: number } = { ipv4: 32, ipv6: 128 };
export const bitsPerDigit = 3;

export interface Frontend {
  readonly address: string;
  /** The address as `octalDigits` gives it: what begins with the same digits is in the same network. */
  readonly digits: string;
  readonly rule: FormattedDispatchRule;
}

/** Whether a rule leads from an address of a Service to its chains. */
export function isFrontend({ table, chain, address }: FormattedDispatchRule): boolean {
  return table === 'nat' && chain === services && address !== undefined;
}

/** `rule`: one for which `isFrontend` holds. */
export function frontendOf(rule: FormattedDispatchRule): Frontend {
  const address = rule.address ?? '';
  return { address, digits: octalDigits(address), rule };
}

/**
 * An address in octal, from the left: 11 digits of IPv4 and 43 of IPv6. A whole number of digits holds one bit more
 * than the address, which is 0.
 */
export function octalDigits(address: string): string {
  const bits = addressBits[familyOf(address)];
  const digits = Math.ceil(bits / bitsPerDigit);
  return (BigInt(`0x${hexOf(address)}`) << BigInt(digits * bitsPerDigit - bits)).toString(8).padStart(digits, '0');
}

/** All bytes of an address, two digits each. */
export function hexOf(address: string): string {
  return Buffer.from(ipaddr.parse(address).toByteArray()).toString('hex');
}

/** By address, then as dispatch rules stand in one chain. */
export function compareFrontends(a: Frontend, b: Frontend): number {
  if (a.digits !== b.digits) return a.digits < b.digits ? -1 : 1;
  return compareDispatch(a.rule, b.rule);
}

/** How many digits both begin with. */
export function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}
