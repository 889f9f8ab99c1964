/**
 * Whether the packet table asks every item of a Service's meaning from everywhere.
 */
import { describe, expect, test } from '@jest/globals';
import { items, matrixOf } from './items.ts';
import { questionsOf } from './questions.ts';
import { sctpScenarios } from './sctpTable.ts';
import { scenarios } from './serviceTable.ts';

const all = [...scenarios, ...sctpScenarios];

describe('the packet table', () => {
  test(`every one of ${items.length} items is asked from all five sources, or there is a reason`, () => {
    const { lines, empty } = matrixOf(all);
    process.stdout.write(`${lines.join('\n')}\n`);
    expect(empty).toEqual([]);
  });

  test('the table has at least 120 rows, and each asks what no other asks', () => {
    const rows = all.flatMap((scenario, index) =>
      scenario.rows.map((row) => ({
        title: `${scenario.name}: ${row.name}`,
        questions: questionsOf(scenario, row, all.slice(0, index)),
      })),
    );
    const askers = Map.groupBy(
      rows.flatMap(({ title, questions }) => questions.map((question) => ({ title, question }))),
      ({ question }) => question,
    );
    expect(
      [...askers.values()].filter((same) => same.length > 1).map((same) => same.map(({ title }) => title)),
    ).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(120);
  });
});
