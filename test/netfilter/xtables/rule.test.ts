import { describe, expect, test } from '@jest/globals';
import type { Rule } from '../../../src/netfilter/xtables/rule.ts';
import { comment, formatRule, from, jumpTo, to } from '../../../src/netfilter/xtables/rule.ts';
import { InvalidRule } from '../../../src/netfilter/checked.ts';

const formatted: readonly { readonly name: string; readonly rule: Rule; readonly text: string }[] = [
  {
    name: 'a Service address',
    rule: {
      matches: [comment('a/b:c cluster IP'), to('10.0.0.1'), { kind: 'destinationPort', protocol: 'TCP', port: 80 }],
      target: jumpTo('KUBE-SVC-X'),
    },
    text: '-m comment --comment "a/b:c cluster IP" -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X',
  },
  {
    name: 'networks of both families',
    rule: { matches: [from('fd00::/64'), to('fd00::1')] },
    text: '-s fd00::/64 -d fd00::1/128',
  },
  {
    name: 'what is not',
    rule: {
      matches: [
        { kind: 'source', network: '10.0.0.0/8', negated: true },
        { kind: 'inInterface', name: 'cali+', negated: true },
      ],
    },
    text: '! -s 10.0.0.0/8 ! -i cali+',
  },
  {
    name: 'a mark',
    rule: { matches: [{ kind: 'mark', mark: 2 ** 31 }], target: { kind: 'xorMark', mark: 2 ** 14 } },
    text: '-m mark --mark 0x80000000/0x80000000 -j MARK --xor-mark 0x00004000',
  },
  {
    name: 'a third',
    rule: { matches: [{ kind: 'probability', value: 1 / 3 }] },
    text: '-m statistic --mode random --probability 0.3333333333',
  },
  {
    name: 'an endpoint',
    rule: { matches: [], target: { kind: 'dnat', to: '[fd00::1]:80' } },
    text: '-j DNAT --to-destination [fd00::1]:80',
  },
  {
    name: 'affinity',
    rule: { matches: [{ kind: 'sourceRemembered', list: 'KUBE-SEP-X', seconds: 10_800 }] },
    text: '-m recent --name KUBE-SEP-X --rcheck --seconds 10800 --reap',
  },
];

const hostile: readonly { readonly name: string; readonly rule: Rule }[] = [
  { name: 'a line end in a comment', rule: { matches: [comment('x\n-A INPUT -j DROP')] } },
  { name: 'a final line end in a comment', rule: { matches: [comment('x\n')] } },
  { name: 'a quote in a comment', rule: { matches: [comment('x" -j DROP "')] } },
  { name: 'a backslash in a comment', rule: { matches: [comment('x\\')] } },
  { name: 'a comment that is too long for the kernel', rule: { matches: [comment('x'.repeat(256))] } },
  { name: 'a host name for an address', rule: { matches: [to('example.org')] } },
  { name: 'an option for an address', rule: { matches: [to('-j DROP')] } },
  { name: 'a blank in a chain name', rule: { matches: [], target: jumpTo('KUBE-SVC-X -s 0') } },
  { name: 'a chain name that is too long', rule: { matches: [], target: jumpTo('K'.repeat(29)) } },
  { name: 'an option for an interface', rule: { matches: [{ kind: 'inInterface', name: '-j' }] } },
  { name: 'a port out of range', rule: { matches: [{ kind: 'destinationPort', protocol: 'TCP', port: 65_536 }] } },
  { name: 'a fraction of a port', rule: { matches: [{ kind: 'destinationPort', protocol: 'TCP', port: 1.5 }] } },
  { name: 'an impossible probability', rule: { matches: [{ kind: 'probability', value: Number.NaN }] } },
  { name: 'a destination with an option', rule: { matches: [], target: { kind: 'dnat', to: '10.0.0.1:80 --random' } } },
];

describe('formatRule', () => {
  test.each(formatted)('$name', ({ rule, text }) => {
    expect(formatRule(rule)).toBe(text);
  });

  describe('refuses', () => {
    test.each(hostile)('$name', ({ rule }) => {
      expect(() => formatRule(rule)).toThrow(InvalidRule);
    });

    test('without saying what in a message that reaches a status', () => {
      const hostName = { matches: [to('example.org')] };
      expect(() => formatRule(hostName)).toThrow(
        expect.objectContaining({ reason: 'InvalidRule', message: expect.not.stringContaining('example') }),
      );
    });
  });
});
