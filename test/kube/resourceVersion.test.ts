import { describe, expect, test } from '@jest/globals';
import { isOlderVersion } from '../../src/kube/resourceVersion.ts';

const ascending = [
  '0',
  '1',
  '9',
  '10',
  '99',
  '9007199254740992',
  '9007199254740993',
  '18446744073709551615',
  '9'.repeat(400),
  `1${'0'.repeat(400)}`,
];

describe('isOlderVersion', () => {
  test('goes by the number, of any length', () => {
    for (const [index, version] of ascending.entries()) {
      for (const [place, other] of ascending.entries()) expect(isOlderVersion(version, other)).toBe(index < place);
    }
  });

  test.each(['', 'abc', '-1', '1e3', '0x10', ' 5', '1.5', 'Infinity', '007'])(
    '%j is no number, so nothing is older or newer than it',
    (version) => {
      expect([isOlderVersion(version, '100'), isOlderVersion('100', version)]).toEqual([false, false]);
    },
  );
});
