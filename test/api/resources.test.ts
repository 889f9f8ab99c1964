/**
 * src/api/resources.ts against the CustomResourceDefinitions, and as the one place in src that names our group.
 */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readDefinition, versionOf } from '../../crds/definition.ts';
import { apiVersion, nodeProxyResource, objectPath, proxyConfigResource, statusPath } from '../../src/api/resources.ts';

const rows = [
  { file: 'proxyconfigs.yaml', resource: proxyConfigResource },
  { file: 'nodeproxies.yaml', resource: nodeProxyResource },
];

/** What only resources.ts may write: group and version, and the names of the kinds in paths. */
const ownWords = /proxyconfig\.dev|v1alpha1|['"/](proxyconfigs|nodeproxies)\b/;

describe('resources', () => {
  test.each(rows)('has group, version, kind and plural of crds/$file', ({ file, resource }) => {
    const definition = readDefinition(file);
    const { group, scope, names } = definition.spec;
    const version = versionOf(definition).name;
    expect({ ...resource, scope }).toEqual({
      group,
      version,
      kind: names.kind,
      plural: names.plural,
      path: `/apis/${group}/${version}/${names.plural}`,
      scope: 'Cluster',
    });
    expect(apiVersion).toBe(`${group}/${version}`);
  });

  test('gives the paths of an object and of its status', () => {
    expect(objectPath(nodeProxyResource, 'node-1')).toBe('/apis/proxyconfig.dev/v1alpha1/nodeproxies/node-1');
    expect(statusPath(proxyConfigResource, 'all')).toBe('/apis/proxyconfig.dev/v1alpha1/proxyconfigs/all/status');
  });

  test('is the only file in src that names the group, its version and the plurals', () => {
    const files = globSync('src/**/*.ts', { exclude: ['src/api/generated/**'] });
    expect(files.filter((file) => ownWords.test(readFileSync(file, 'utf8')))).toEqual(['src/api/resources.ts']);
  });
});
