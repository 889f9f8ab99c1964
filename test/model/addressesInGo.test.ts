/**
 * Addresses and networks in 10,000 spellings, read here and by Go as Kubernetes reads them.
 */
import { beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import * as fc from 'fast-check';
import { createRuleCheck } from '../../src/api/celRules.ts';
import { canonicalAddress, canonicalCIDR } from '../../src/model/ipFamily.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { describeWhere } from '../support/requirements.ts';

/** What test/cluster/go/addresses says of a text. */
interface Reading {
  readonly address: string | null;
  readonly cidr: string | null;
  readonly isIP: boolean;
  readonly isCIDR: boolean;
  readonly masked: string;
}

const known = [
  '::1.2.3.4',
  '::ffff:1.2.3.4',
  '::ffff:0:1.2.3.4',
  '::ffff:1.2.3.0/120',
  '::ffff:1.2.3.255/90',
  '::ffff:010.0.0.1',
  '64:ff9b::192.0.2.33',
  '1:2:3:4:5:6:7::',
  '1::2:3:4:5:6:7:8',
  '2001:db8::1:0:0:1',
  '000000010.0.0.1',
  '::00001',
  '10.0.0.0/0008',
  '10.1.2.3/8',
  'fd00::1/64',
  '::1%lo',
  '1.2.3.4::',
  ':',
  '::',
  '',
];

const padded = (digits: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom('', '', '', '0', '00', '0000'), digits).map(([zeros, number]) => zeros + number);
const octet = padded(
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: 255 }).map(String) },
    fc.constantFrom('256', '999', '', 'a', '0x1', '-1', '16777215'),
  ),
);
const ipv4 = fc
  .oneof(
    { weight: 9, arbitrary: fc.array(octet, { minLength: 4, maxLength: 4 }) },
    fc.array(octet, { minLength: 1, maxLength: 5 }),
  )
  .map((octets) => octets.join('.'));
const group = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('0', '0', '0000', 'ffff') },
  { weight: 8, arbitrary: padded(fc.integer({ min: 0, max: 0xffff }).map((number) => number.toString(16))) },
  fc.integer({ min: 0, max: 0xffff }).map((number) => number.toString(16).toUpperCase()),
);
const groups = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(group, { maxLength }).map((list) => list.join(':'));
const ipv6 = fc.oneof(
  fc.array(group, { minLength: 8, maxLength: 8 }).map((list) => list.join(':')),
  groups(9),
  fc.tuple(groups(5), groups(4)).map(([head, tail]) => `${head}::${tail}`),
  fc.tuple(fc.array(group, { minLength: 6, maxLength: 6 }), ipv4).map(([head, tail]) => [...head, tail].join(':')),
  fc
    .tuple(fc.constantFrom('::', '::ffff:', '::FFFF:', '::0:', '64:ff9b::', '1::2:', '::ffff:0:'), ipv4)
    .map((parts) => parts.join('')),
);
/** With a character too many or too few, now and then. */
const damaged = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      text,
      fc.constantFrom(':', '.', '/', '%', '0', 'g', '-', ' ', '\n', '\u0085', '\uFEFF', '\u0661'),
      fc.nat(),
      fc.nat({ max: 9 }),
    )
    .map(([whole, character, place, fate]) => {
      const at = place % (whole.length + 1);
      if (fate === 0) return whole.slice(0, at) + character + whole.slice(at);
      return fate === 1 ? whole.slice(0, at) + whole.slice(at + 1) : whole;
    });
const address = damaged(fc.oneof(ipv4, ipv6));
const length = padded(
  fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 32 }).map(String) },
    { weight: 5, arbitrary: fc.integer({ min: 33, max: 128 }).map(String) },
    fc.constantFrom('129', '', '-1', '+8', '8.0', '8/8', '99999999999'),
  ),
);
const blank = fc.constantFrom('', '', '', '', ' ', '\t', '\u00A0', '\u0085', '\uFEFF', '\u3000');
const cidr = fc
  .tuple(blank, address, length, blank)
  .map(([before, host, bits, after]) => `${before}${host}/${bits}${after}`);

describeWhere(['cluster'], 'spellings of addresses', () => {
  const texts = [...known, ...fc.sample(fc.oneof(address, cidr), 10_000)];
  let readings: readonly Reading[];

  beforeAll(async () => {
    const { addresses } = await ensureBinaries({ which: ['addresses'] });
    const { stdout } = await execa(addresses, { input: texts.map((text) => JSON.stringify(text)).join('\n') });
    readings = stdout.split('\n').map((line) => JSON.parse(line) as Reading);
  }, 120_000);

  /** The texts that are read otherwise than by Go. */
  function differences(readHere: (text: string) => unknown, readByGo: (reading: Reading) => unknown): unknown[] {
    return texts.flatMap((text, index) => {
      const [here, byGo] = [readHere(text), readByGo(readings[index] as Reading)];
      return here === byGo ? [] : [{ text, here, byGo }];
    });
  }

  test('there are addresses and networks of both families among them, and what is neither', () => {
    expect(readings).toHaveLength(texts.length);
    const spelled = readings.flatMap(({ address: one, cidr: other }) => one ?? other ?? []);
    for (const mark of ['.', ':']) expect(spelled.filter((text) => text.includes(mark)).length).toBeGreaterThan(1000);
    expect(readings.length - spelled.length).toBeGreaterThan(1000);
  });

  test('canonicalAddress reads and spells them as Go does', () => {
    expect(
      differences(
        (text) => canonicalAddress(text) ?? null,
        (reading) => reading.address,
      ),
    ).toEqual([]);
  });

  test('canonicalCIDR reads and spells them as Go does', () => {
    expect(
      differences(
        (text) => canonicalCIDR(text) ?? null,
        (reading) => reading.cidr,
      ),
    ).toEqual([]);
  });

  test('isIP, isCIDR and masked in rules of the CRDs hold as in the API server', () => {
    const holds = createRuleCheck();
    expect(
      differences(
        (text) => holds('isIP(self)', text),
        ({ isIP }) => isIP,
      ),
    ).toEqual([]);
    expect(
      differences(
        (text) => holds('isCIDR(self)', text),
        ({ isCIDR }) => isCIDR,
      ),
    ).toEqual([]);
    const isMasked = 'isCIDR(self.text) && string(cidr(self.text).masked()) == self.masked';
    const masked = texts.map((text, index) => ({ text, masked: readings[index]?.masked ?? '' }));
    expect(masked.filter((self) => self.masked !== '' && !holds(isMasked, self))).toEqual([]);
  });
});
