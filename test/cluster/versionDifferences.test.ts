import { expect, test } from '@jest/globals';
import { apiServerDifferences, controllerManagerDifferences, serviceCIDRVersion } from './versionDifferences.ts';

test('1.32 is told to have ServiceCIDRs, which it has as v1beta1', () => {
  const gate = '--feature-gates=MultiCIDRServiceAllocator=true';
  expect(apiServerDifferences('v1.32.13')).toEqual([gate, '--runtime-config=networking.k8s.io/v1beta1=true']);
  expect(controllerManagerDifferences('v1.32.13')).toEqual([gate]);
  expect(serviceCIDRVersion('v1.32.13')).toBe('v1beta1');
});

// The gate is gone in 1.38, whose programs do not start with one that they do not know.
test.each(['v1.33.0', 'v1.37.2', 'v1.38.0-beta.0'] as const)('%s is told nothing of its own', (version) => {
  expect([...apiServerDifferences(version), ...controllerManagerDifferences(version)]).toEqual([]);
  expect(serviceCIDRVersion(version)).toBe('v1');
});
