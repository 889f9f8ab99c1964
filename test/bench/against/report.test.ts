/** What is made of the figures of two builds: ratios of rounds, a verdict, a table, a document. */
import { describe, expect, test } from '@jest/globals';
import type { Measures } from '../measures.ts';
import type { BuildsComparison } from './compareBuilds.ts';
import { asDocument, asTable, rowsAbove } from './report.ts';
import { ratiosOf, rowsOf, spreadOf } from './rows.ts';

const nothing = Number.NaN;

function measures(figures: Partial<Measures>): Measures {
  const none = { cold: nothing, coldCpu: nothing, coldCpuTools: nothing, restart: nothing, restartCpu: nothing };
  const more = { restartCpuTools: nothing, change: nothing, cpuPerChange: nothing, changeCpu: nothing };
  const memory = { rss: nothing, rssAlone: nothing, rssPeak: nothing, rssPeakAlone: nothing, changeCpuTools: nothing };
  return { ...none, ...more, ...memory, direct: nothing, hit: nothing, one: nothing, miss: nothing, ...figures };
}

/** The machine is twice as slow in the second round, for both. */
const comparison: BuildsComparison = {
  workTree: '0123456789ab-dirty',
  revision: 'fedcba9876543210fedcba9876543210fedcba98',
  measured: [
    {
      variant: 'nft',
      rounds: {
        workTree: [1100, 2100, 1000].map((cold) => measures({ cold, coldCpuTools: 0 })),
        revision: [1000, 2000, 1000].map((cold) => measures({ cold, coldCpuTools: 0 })),
      },
    },
    { variant: 'legacy', rounds: { workTree: [measures({ cold: 90 })], revision: [measures({ cold: 100 })] } },
  ],
  machine: '2 CPUs',
  load: 1.25,
};

const asked = { against: 'v1', services: 10_000, endpoints: 3, workload: ['cold'], rounds: 3, changes: 5 } as const;

describe('ratios of rounds', () => {
  test('each round by itself, so that a slow one is in both', () => {
    expect(ratiosOf([2, 30, 4], [1, 10, 8])).toEqual([2, 3, 0.5]);
  });

  test('nothing is divided by nothing, and nothing by what was not measured', () => {
    expect(ratiosOf([1, 0, nothing, 3], [0, 0, 1, nothing])).toEqual([]);
  });

  test('their median, the lowest and the highest', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, lowest: 1, highest: 3 });
    expect(spreadOf([4, 1, 2, 3])?.median).toBe(2.5);
    expect(spreadOf([])).toBeUndefined();
  });
});

describe('rowsOf', () => {
  test('a row for each measure of what was asked for, in each variant', () => {
    const rows = rowsOf(comparison, ['cold']);
    expect(rows.map(({ variant, measure }) => `${variant} ${measure}`)).toEqual(
      ['nft', 'legacy'].flatMap((variant) =>
        ['cold', 'coldCpu', 'coldCpuTools'].map((measure) => `${variant} ${measure}`),
      ),
    );
  });

  test('medians of each, and the ratio of the rounds instead of that of the medians', () => {
    const [cold] = rowsOf(comparison, ['cold']);
    expect(cold).toMatchObject({ workTree: 1100, revision: 1000, rounds: 3 });
    expect(cold?.ratio).toEqual({ median: 1.05, lowest: 1, highest: 1.1 });
  });

  test('no ratio where nothing was measured', () => {
    expect(rowsOf(comparison, ['cold'])[2]).toMatchObject({ measure: 'coldCpuTools', ratio: undefined, rounds: 0 });
  });
});

describe('rowsAbove', () => {
  test.each([
    { maxRatio: undefined, rows: [] },
    { maxRatio: 1.06, rows: [] },
    { maxRatio: 1.05, rows: [] },
    { maxRatio: 1.04, rows: ['nft cold'] },
    { maxRatio: 0.5, rows: ['nft cold', 'legacy cold'] },
  ])('the median decides: $maxRatio', ({ maxRatio, rows }) => {
    const above = rowsAbove(comparison, maxRatio === undefined ? asked : { ...asked, maxRatio });
    expect(above.map(({ variant, measure }) => `${variant} ${measure}`)).toEqual(rows);
  });
});

describe('asTable', () => {
  test('value of each, ratio, spread and rounds; then what they are of, and the verdict', () => {
    expect(asTable(comparison, { ...asked, maxRatio: 1.04 })).toBe(
      `
iptables-nft, 10,000 Services of 3 endpoints
                                 work tree       v1  ratio          spread  rounds
cold start to all rules present    1100 ms  1000 ms  1.050  1.000 to 1.100       3
cold start, CPU of the agent             -        -      -               -       0
cold start, CPU of its tools        0.0 ms   0.0 ms      -               -       0

iptables-legacy, 10,000 Services of 3 endpoints
                                 work tree      v1  ratio          spread  rounds
cold start to all rules present    90.0 ms  100 ms  0.900  0.900 to 0.900       1
cold start, CPU of the agent             -       -      -               -       0
cold start, CPU of its tools             -       -      -               -       0

work tree: 0123456789ab-dirty; v1: fedcba987654. Values are medians; ratio: the median of the rounds' ratios,
work tree / v1; spread: the lowest and the highest of them. CPU of the agent is without its tools'.
2 CPUs; load average 1.3.

Above 1.04:
iptables-nft: cold start to all rules present: 1.050`.slice(1),
    );
  });

  test('says when nothing is above, and nothing of it where nobody asked', () => {
    expect(asTable(comparison, { ...asked, maxRatio: 2 })).toMatch(/No median ratio is above 2\.$/);
    expect(asTable(comparison, asked)).toMatch(/load average 1\.3\.$/);
  });
});

describe('asDocument', () => {
  test('names its version, what was asked for and measured, and holds every sample', () => {
    const document = asDocument(comparison, { ...asked, maxRatio: 1.04 });
    expect(document).toMatchObject({
      apiVersion: 'bench.proxyconfig.dev/v1',
      kind: 'BuildComparison',
      workTree: { description: '0123456789ab-dirty' },
      revision: { name: 'v1', commit: comparison.revision },
      services: 10_000,
      endpoints: 3,
      rounds: 3,
      changes: 5,
      maxRatio: 1.04,
      above: [{ variant: 'nft', measure: 'cold' }],
    });
    expect(document.rows[0]).toEqual({
      variant: 'nft',
      workload: 'cold',
      measure: 'cold',
      what: 'cold start to all rules present',
      unit: 'ms',
      workTree: 1100,
      revision: 1000,
      ratio: { median: 1.05, lowest: 1, highest: 1.1 },
      rounds: 3,
      samples: { workTree: [1100, 2100, 1000], revision: [1000, 2000, 1000] },
    });
  });
});
