/**
 * Whether the packet table asks every item of a Service's meaning from everywhere.
 */
import { expect, test } from '@jest/globals';
import { items, matrixOf } from './items.ts';
import { expectationIn, sourceOf } from './scenario.ts';
import { sctpScenarios } from './sctpTable.ts';
import { scenarios } from './serviceTable.ts';

const all = [...scenarios, ...sctpScenarios];

test(`every one of ${items.length} items is asked from all five sources, or there is a reason`, () => {
  const { lines, empty } = matrixOf(all);
  process.stdout.write(`${lines.join('\n')}\n`);
  expect(empty).toEqual([]);
});

test('the table has at least 120 rows, and no two of them are the same question with the same answer', () => {
  const rows = all.flatMap(({ name, config, rows: ofScenario }) => ofScenario.map((row) => ({ name, config, row })));
  // Names do not count, neither that of the row nor that of the host which stands for its source.
  const questions = rows.map(({ name, row }) => JSON.stringify([name, sourceOf(row), row.from, row.to, row.port, row.protocol, expectationIn(row, 'ipv4')]));
  expect(rows.length).toBeGreaterThanOrEqual(120);
  expect(new Set(questions).size).toBe(questions.length);
});
