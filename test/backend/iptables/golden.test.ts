/**
 * The rules of scenarios as files to read and to review: what a Service adds to the fixed objects, and those once for
 * themselves. `UPDATE_GOLDEN=1` writes them anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { renderIptables } from '../../../src/backend/iptables/plan/render.ts';
import { clusterIPTable } from '../../scenarios/clusterIPTable.ts';
import { basicTable } from '../../scenarios/serviceTable.ts';
import { endpointTable } from '../../scenarios/endpointTable.ts';
import { sctpScenarios } from '../../scenarios/sctpTable.ts';
import { settingsTable } from '../../scenarios/settingsTable.ts';
import { stateOf } from '../../support/serviceManifests.ts';

/** Each Service shape, and whatever a setting writes otherwise; time-outs of affinity can be seen in rules alone. */
const shown = [
  ...basicTable,
  ...settingsTable,
  ...sctpScenarios,
  ...clusterIPTable,
  ...endpointTable.filter(({ item }) => item === 'affinity time-out policy'),
];
/** What differs by family, and one that does not. */
const shownInBoth = new Set(['three replicas', 'endpoints and their conditions', 'a range of cluster IPs']);
const update = process.env['UPDATE_GOLDEN'] === '1';

function expectGolden(name: string, text: string): void {
  const file = new URL(`golden/${name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}.rules`, import.meta.url);
  if (update) writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

describe('renderIptables', () => {
  test.each(['ipv4', 'ipv6'] as const)('a node without Services, %s', (family) => {
    expectGolden(`no-services-${family}`, renderIptables(stateOf(family, [])).input);
  });

  test.each(shown)('$name', ({ name, objects, config, serviceCIDRs }) => {
    for (const family of shownInBoth.has(name) ? (['ipv4', 'ipv6'] as const) : (['ipv4'] as const)) {
      const fixed = new Set(renderIptables(stateOf(family, [])).input.split('\n'));
      const lines = renderIptables(stateOf(family, objects, config, serviceCIDRs)).input.split('\n');
      const added = lines.filter((line) => line.startsWith('*') || !fixed.has(line));
      expectGolden(family === 'ipv4' ? name : `${name}-${family}`, `${added.join('\n')}\n`);
    }
  });
});
