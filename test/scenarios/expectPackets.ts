import { expect } from '@jest/globals';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Observation } from './observe.ts';
import type { Expectation, PacketRow } from './scenario.ts';
import { expectationIn } from './scenario.ts';

export function expectObservations(row: PacketRow, family: IPFamily, observations: readonly Observation[]): void {
  for (const { protocol, answer } of observations) {
    expect({ row: row.name, protocol, answer }).toEqual({ row: row.name, protocol, answer: expectedAnswer(expectationIn(row, family), family) });
  }
}

function expectedAnswer(expected: Expectation, family: IPFamily): unknown {
  if (typeof expected === 'string') return expected;
  if ('by' in expected) return { by: expected.by, seenFrom: expected.seenFrom[family] };
  if ('spreadOver' in expected) return [...expected.spreadOver].sort();
  return [expect.stringMatching(new RegExp(`^(${expected.alwaysOneOf.join('|')})$`))];
}
