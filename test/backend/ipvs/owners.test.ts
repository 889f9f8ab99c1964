/**
 * Who owns a kernel object, after owners came and went in some order.
 */
import { describe, expect, test } from '@jest/globals';
import { Owners } from '../../../src/backend/ipvs/plan/owners.ts';

type Step = readonly ['add', owner: string, value: string] | readonly ['remove', owner: string];

interface Row {
  readonly name: string;
  readonly steps: readonly Step[];
  /** The value that the object must have; undefined where it has no owner. */
  readonly desired: string | undefined;
}

const rows: readonly Row[] = [
  { name: 'nobody', steps: [], desired: undefined },
  { name: 'one owner', steps: [['add', 'b', 'of b']], desired: 'of b' },
  {
    name: 'two owners, the first by name came first',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
    ],
    desired: 'of a',
  },
  {
    name: 'two owners, the first by name came last',
    steps: [
      ['add', 'b', 'of b'],
      ['add', 'a', 'of a'],
    ],
    desired: 'of a',
  },
  {
    name: 'three owners, the first by name in the middle',
    steps: [
      ['add', 'c', 'of c'],
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
    ],
    desired: 'of a',
  },
  {
    name: 'the only owner goes',
    steps: [
      ['add', 'a', 'of a'],
      ['remove', 'a'],
    ],
    desired: undefined,
  },
  {
    name: 'the first by name goes: the next one has it',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['remove', 'a'],
    ],
    desired: 'of b',
  },
  {
    name: 'the second by name goes: the first keeps it',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['remove', 'b'],
    ],
    desired: 'of a',
  },
  {
    name: 'both of two go',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['remove', 'a'],
      ['remove', 'b'],
    ],
    desired: undefined,
  },
  { name: 'one that is no owner goes from nobody', steps: [['remove', 'x']], desired: undefined },
  {
    name: 'one that is no owner goes from one',
    steps: [
      ['add', 'a', 'of a'],
      ['remove', 'x'],
    ],
    desired: 'of a',
  },
  {
    name: 'one that is no owner goes from two',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['remove', 'x'],
    ],
    desired: 'of a',
  },
  {
    name: 'the only owner asks for another value',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'a', 'another'],
    ],
    desired: 'another',
  },
  {
    name: 'the first of two asks for another value',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['add', 'a', 'another'],
    ],
    desired: 'another',
  },
  {
    name: 'the second of two asks for another value: the first keeps its own',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['add', 'b', 'another'],
    ],
    desired: 'of a',
  },
  {
    name: 'an owner that asked twice goes at once',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'a', 'of a'],
      ['remove', 'a'],
    ],
    desired: undefined,
  },
  {
    name: 'an owner comes back after all have gone',
    steps: [
      ['add', 'a', 'of a'],
      ['add', 'b', 'of b'],
      ['remove', 'b'],
      ['remove', 'a'],
      ['add', 'b', 'of b'],
    ],
    desired: 'of b',
  },
];

describe('Owners', () => {
  test.each(rows)('$name', ({ steps, desired }) => {
    const owners = new Owners<string>();
    owners.add('another object', '0', 'of another object');
    for (const step of steps) {
      if (step[0] === 'add') owners.add('object', step[1], step[2]);
      else owners.remove('object', step[1]);
    }
    expect({ desired: owners.desired('object'), isDesired: owners.isDesired('object') }).toEqual({
      desired,
      isDesired: desired !== undefined,
    });
    expect(owners.desired('another object')).toBe('of another object');
  });
});
