/**
 * What the tools are given for every scenario, as files to read and to review, and the fixed objects once for
 * themselves. `UPDATE_GOLDEN=1` writes them anew.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { renderIpvs } from '../../../src/backend/ipvs/plan/render.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import { stateOf } from '../../support/serviceManifests.ts';
import { scenarios } from '../../scenarios/serviceTable.ts';

const update = process.env['UPDATE_GOLDEN'] === '1';
const folder = new URL('golden/', import.meta.url);

function expectGolden(name: string, text: string): void {
  const file = new URL(`${name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}.txt`, folder);
  if (update) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, 'utf8'));
}

function linesOf(state: ServiceState): readonly string[] {
  return renderIpvs(state).flatMap(({ tool, args, input }) =>
    `# ${[tool, ...args].join(' ')}\n${input}`.trimEnd().split('\n'),
  );
}

describe('renderIpvs', () => {
  test.each(['ipv4', 'ipv6'] as const)('a node without Services, %s', (family) => {
    expectGolden(`no-services-${family}`, `${linesOf(stateOf(family, [])).join('\n')}\n`);
  });

  test.each(scenarios)('$name', ({ name, objects, config, serviceCIDRs }) => {
    const families: readonly IPFamily[] = name === 'three replicas' ? ['ipv4', 'ipv6'] : ['ipv4'];
    for (const family of families) {
      const fixed = new Set(linesOf(stateOf(family, [])).filter((line) => !line.startsWith('#')));
      const added = linesOf(stateOf(family, objects, config, serviceCIDRs)).filter((line) => !fixed.has(line));
      expectGolden(family === 'ipv4' ? name : `${name}-${family}`, `${added.join('\n')}\n`);
    }
  });
});
