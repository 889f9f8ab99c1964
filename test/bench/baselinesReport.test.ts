/** kube-proxy beside what it stands on: the table, the part of the page, the picture. */
import { describe, expect, test } from '@jest/globals';
import { type BaselineSection, sizesOf } from './baselines.ts';
import { baselinesPart, printBaselines } from './baselinesReport.ts';
import type { Measures } from './measures.ts';

const none = Number.NaN;
const times = { cold: 12_000, coldCpu: 1000, coldCpuTools: 11_000, change: 1800, cpuPerChange: 2100 };
const memory = { rss: 337, rssAlone: 300, rssPeak: 401, rssPeakAlone: 380 };
const notMeasured = { restartCpu: none, restartCpuTools: none, changeCpu: none, changeCpuTools: none };
const connections = { direct: none, hit: none, one: none, miss: none };
const kubeProxy: Measures = { ...times, restart: Infinity, ...memory, ...notMeasured, ...connections };
const run = { changes: 5, machine: '2 CPUs; kube-proxy v1.37.2, nft v1.0.6.', load: 0.5, minutes: 3 };

function section(services: number, endpoints: number, more: Partial<BaselineSection> = {}): BaselineSection {
  return { services, endpoints, repetitions: 2, limitMinutes: 20, run, ...more };
}

const whole = section(10_000, 3, {
  watcher: { cold: 900, change: 5.5 },
  sides: { 'kube-proxy': kubeProxy },
  tool: { cold: 10_500, coldCpuTools: 10_100, change: 90, cpuPerChange: 80 },
});
const small = section(1000, 1, { watcher: { cold: 300, change: 4 } });

describe('printBaselines', () => {
  test('a column for each that was measured, and an empty cell where one has nothing to measure', () => {
    const lines = printBaselines([whole]).split('\n');
    expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['nftables, 10,000 Services of 3 endpoints'],
      ['kube-proxy', 'nft alone', 'watch alone'],
      ['cold start', '12.0 s', '10.5 s', '0.90 s'],
      ['CPU of the cold start, with all tools', '12.0 s', '10.1 s'],
      ['restart on a live table', '> 20 min'],
      ['one endpoint changed', '1800 ms', '90.0 ms', '5.50 ms'],
      ['CPU per change, with all tools', '2100 ms', '80.0 ms'],
      ['memory in steady state', '337 MiB'],
      ['memory, peak with its tools', '401 MiB'],
    ]);
  });

  test('what was not measured yet has no column', () => {
    expect(printBaselines([small]).split('\n')[1]?.trim()).toBe('watch alone');
  });

  test('ours is beside it when it is measured', () => {
    const both = section(1000, 1, { sides: { ours: kubeProxy, 'kube-proxy': kubeProxy } });
    expect(printBaselines([both]).split('\n')[1]?.trim().split(/ {2,}/)).toEqual(['ours', 'kube-proxy']);
  });
});

describe('baselinesPart', () => {
  const { markdown, picture } = baselinesPart([whole, small]);

  test('sections from few Services to many, with how often, the limit and the versions', () => {
    expect([...markdown.matchAll(/^### (.*)$/gm)].map(([, title]) => title)).toEqual([
      'nftables, 1,000 Services of 1 endpoint',
      'nftables, 10,000 Services of 3 endpoints',
    ]);
    expect(markdown).toContain(
      'Medians of 2 repetitions, 10 changes of an endpoint in each; at a load average of 0.5.',
    );
    expect(markdown).toContain('| restart on a live table | > 20 min |  |  |');
    expect(markdown).toContain('kube-proxy v1.37.2, nft v1.0.6.');
    expect(markdown).toContain(`](${picture?.name})`);
  });

  test('a picture with all sizes and all that was measured, times on logarithmic axes', () => {
    for (const words of [
      '1,000 × 1',
      '10,000 × 3',
      'kube-proxy',
      'nft alone',
      'watch alone',
      '&gt; 20 min',
      's, logarithmic axis',
    ])
      expect(picture?.content.replaceAll('>', '&gt;')).toContain(words.replaceAll('>', '&gt;'));
    const [description = ''] = /<desc[^>]*>([^<]*)/.exec(picture?.content ?? '')?.slice(1) ?? [];
    expect(description).toContain(
      'one endpoint changed: 1,000 × 1: watch alone 4.00 ms; 10,000 × 3: kube-proxy 1800 ms, nft alone 90.0 ms',
    );
  });
});

test('sizes go up and down by turns, so that few endpoints are written between two', () => {
  const sizes = sizesOf({ services: [1000, 10_000, 44_000], endpoints: [1, 3] });
  expect(sizes.map(({ services, endpoints }) => `${services} × ${endpoints}`)).toEqual([
    '1000 × 1',
    '1000 × 3',
    '10000 × 3',
    '10000 × 1',
    '44000 × 1',
    '44000 × 3',
  ]);
});
