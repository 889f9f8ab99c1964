/**
 * Texts that must not reach a rule: characters that end a token, a line or a comment, and addresses that iptables would
 * read otherwise than Kubernetes, or look up by their name.
 */
import * as fc from 'fast-check';

const injections = [
  '\n',
  '\r\n',
  '"',
  "'",
  '\\',
  '\u0000',
  '\u2028',
  '$(reboot)',
  '`reboot`',
  '; flush ruleset; #',
  '#',
  ' -j ACCEPT',
  '\nCOMMIT\n*filter\n-I INPUT -j DROP\nCOMMIT\n',
  'x" -j DROP',
  '{',
  '}',
  'é',
  '%s',
] as const;
const addresses = [
  '010.0.0.010',
  '10.0.0.256',
  '0x0a000001',
  '10.1',
  '167772161',
  'evil.example.com',
  'localhost',
  '::ffff:10.0.0.1',
  'fe80::1%eth0',
  '127.0.0.1',
  '0.0.0.0/0',
  '10.0.0.1/32',
  '10.0.0.1 ',
  '',
  '!10.0.0.1',
  '-j',
] as const;

/** A valid text with something in it, or something else entirely. */
export const hostile = (text: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...addresses),
    fc
      .tuple(fc.constantFrom(...injections), fc.nat(text.length))
      .map(([injection, at]) => text.slice(0, at) + injection + text.slice(at)),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constant('a'.repeat(300)),
  );
