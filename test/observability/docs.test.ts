/**
 * The pages that people look things up in know every word that the program may say: reasons of conditions and events, and metrics.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Registry } from 'prom-client';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';

/** Where a reason is written down in the source: as a field, as an error's first argument, as the first of a pair with its words. */
const places = [/\breason:([^,;}]*)/g, /SyncError\(('\w+')/g, /leaveOut\(\w+, ('\w+')/g, /\[('[A-Z]\w+'), ['"`]/g];

function reasonsIn(source: string): string[] {
  const found = places.flatMap((place) => [...source.matchAll(place)].map(([, words = '']) => words));
  return found.flatMap((words) => [...words.matchAll(/'([A-Z][a-z]\w+)'/g)].map(([, reason = '']) => reason));
}

const reasons = new Map(
  globSync('src/{operator,agent,backend,cli}/**/*.ts').flatMap((file) => reasonsIn(readFileSync(file, 'utf8')).map((reason) => [reason, file] as const)),
);

describe('pages lead to files that are there', () => {
  test.each(['README.md', ...globSync('docs/**/*.md'), ...globSync('config/**/*.md')])('%s', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => path.join(path.dirname(page), link));
    expect(links.filter((link) => !existsSync(link))).toEqual([]);
  });
});

describe('docs/troubleshooting.md', () => {
  const page = readFileSync('docs/troubleshooting.md', 'utf8');

  test('reasons are found in the source', () => {
    expect([...reasons.keys()]).toEqual(expect.arrayContaining(['Synced', 'ToolMissing', 'ToolTimedOut', 'NoNodes', 'ConflictResolved', 'NotAnswered']));
  });

  test('explains each of them', () => {
    expect([...reasons].filter(([reason]) => !page.includes(`\`${reason}\``))).toEqual([]);
  });
});

async function ours(registry: Registry): Promise<string[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.flatMap(({ name, type }) => (/^(kubeproxy|proxyconfig)_/.test(name) ? [`${name} ${type}`] : [])).sort();
}

function documented(section: string): string[] {
  return [...section.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`).sort();
}

describe('docs/reference/metrics.md', () => {
  const page = readFileSync('docs/reference/metrics.md', 'utf8');
  const [ofAgent = '', ofOperator = ''] = page.slice(page.indexOf('## Agent')).split('## Operator');
  test("has the agent's metrics and no other", async () => {
    expect(documented(ofAgent)).toEqual(await ours(createAgentMetrics().registry));
  });

  test("has the operator's metrics and no other", async () => {
    expect(documented(ofOperator)).toEqual(await ours(createOperatorMetrics().registry));
  });
});
