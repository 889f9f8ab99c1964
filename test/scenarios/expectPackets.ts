import { expect } from '@jest/globals';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Network } from './network.ts';
import type { Observation } from './observe.ts';
import { observe } from './observe.ts';
import type { Expectation, PacketRow } from './serviceTable.ts';

/** Sends the packets of all rows at once and compares who answered. */
export async function expectPackets(network: Network, family: IPFamily, rows: readonly PacketRow[]): Promise<void> {
  await Promise.all(rows.map(async (row) => expectObservations(row, family, await observe(network, family, row))));
}

export function expectObservations(row: PacketRow, family: IPFamily, observations: readonly Observation[]): void {
  for (const { protocol, answer } of observations) {
    expect({ row: row.name, protocol, answer }).toEqual({ row: row.name, protocol, answer: expectedAnswer(row.expect, family) });
  }
}

function expectedAnswer(expected: Expectation, family: IPFamily): unknown {
  if (typeof expected === 'string') return expected;
  if ('by' in expected) return { by: expected.by, seenFrom: expected.seenFrom[family] };
  if ('spreadOver' in expected) return [...expected.spreadOver].sort();
  return [expect.stringMatching(new RegExp(`^(${expected.alwaysOneOf.join('|')})$`))];
}
