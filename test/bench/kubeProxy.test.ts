/** The real kube-proxy in nftables mode, the tool and a watch alone, on the real kernel and API server. */
import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { join } from 'node:path';
import { describeWhere } from '../support/requirements.ts';

const program = join(import.meta.dirname, 'bench.ts');
const small = ['--quick', '--services', '10', '--repetitions', '1', '--changes', '1', '--limit', '1'];

function bench(args: readonly string[]) {
  return execa(process.execPath, [program, 'kube-proxy', ...args], { reject: false });
}

/** The cells of each line but the titles, without their units. */
function cellsOf(stdout: string): Record<string, readonly string[]> {
  const lines = stdout.split('\n').filter((line) => line.includes('  '));
  return Object.fromEntries(
    lines.map((line) => [line.split(/ {2,}/)[0], line.split(/ {2,}/).slice(1).filter(Boolean)]),
  );
}

describeWhere(['root', 'cluster', 'iptables'], 'npm run bench -- kube-proxy', () => {
  test('measures kube-proxy, nft and a watch, each alone, with all that there is to measure', async () => {
    // One endpoint is a rule of its own in kube-proxy 1.37, three are a map.
    const { stdout, stderr, exitCode } = await bench([...small, '--endpoints', '1', '--endpoints', '3']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining('nft alone') });
    const tables = stdout.split('\n\n').map(cellsOf);
    expect(tables).toHaveLength(2);
    for (const { '': heads, ...cells } of tables) {
      expect(heads).toEqual(['kube-proxy', 'nft alone', 'watch alone']);
      expect(Object.entries(cells).map(([what, { length }]) => ({ what, length }))).toEqual([
        { what: 'cold start', length: 3 },
        { what: 'CPU of the cold start, with all tools', length: 2 },
        { what: 'restart on a live table', length: 1 },
        { what: 'one endpoint changed', length: 3 },
        { what: 'CPU per change, with all tools', length: 2 },
        { what: 'memory in steady state', length: 1 },
        { what: 'memory, peak with its tools', length: 1 },
      ]);
      for (const cell of Object.values(cells).flat()) expect(cell).toMatch(/^\d+(?:\.\d+)? (?:s|ms|MiB)$/);
    }
  }, 240_000);

  test('a start that takes longer than the limit is said, and fails nothing', async () => {
    const { stdout, stderr, exitCode } = await bench([...small, '--endpoints', '1', '--limit', '0.001']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining('cold Infinity') });
    expect(cellsOf(stdout)).toMatchObject({ '': ['kube-proxy', 'watch alone'], 'memory in steady state': [] });
    expect(cellsOf(stdout)['cold start']?.[0]).toBe('> 0.001 min');
  }, 180_000);

  test.each([
    { args: ['--endpoints', '0'], says: "'--endpoints <n>' argument '0' is invalid" },
    { args: ['--services', '60000', '--endpoints', '5'], says: 'give smaller --services or --endpoints' },
    { args: ['--limit', '0'], says: "'--limit <minutes>' argument '0' is invalid" },
  ])('$args is wrong usage', async ({ args, says }) => {
    const { exitCode, stderr } = await bench(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(says) });
  });
});
