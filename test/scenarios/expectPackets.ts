import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Answer } from '../support/network.ts';
import type { Observation } from './observe.ts';
import type { Expectation, PacketRow, Sighting } from './scenario.ts';
import { expectationIn } from './scenario.ts';

export function expectObservations(row: PacketRow, family: IPFamily, observations: readonly Observation[]): void {
  const expected = expectationIn(row, family);
  for (const { protocol, answer } of observations) {
    expect({ row: row.name, protocol, answer }).toEqual({
      row: row.name,
      protocol,
      answer: expectedAnswer(expected, family, answer),
    });
  }
}

function expectedAnswer(expected: Expectation, family: IPFamily, answer: unknown): unknown {
  const inFamily = ({ by, seenFrom }: Sighting): Answer => ({ by, seenFrom: seenFrom[family] });
  if (typeof expected === 'string') return expected;
  if ('by' in expected) return inFamily(expected);
  if ('spreadOver' in expected)
    return expected.spreadOver.toSorted((one, other) => (one.by < other.by ? -1 : 1)).map(inFamily);
  const allowed = expected.alwaysOneOf.map((sighting) => [inFamily(sighting)]);
  // Where it is none of them, the failure names them all.
  return allowed.find((each) => isDeepStrictEqual(each, answer)) ?? { oneOf: allowed };
}
