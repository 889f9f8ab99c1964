/** What a ServiceCIDR among the manifests changes. */
import { describe, expect, test } from '@jest/globals';
import { manifest, proxyconfig } from './proxyconfig.ts';

const onNode1 = ['--node', 'node-1'];
const files = ['redis.yaml', 'nodes.yaml', 'proxyconfig.yaml'].flatMap((file) => ['-f', manifest(file)]);
const range = (...cidrs: readonly string[]): string =>
  JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs },
  });

describe('proxyconfig render with a ServiceCIDR', () => {
  test('drops what is for no Service, and refuses what no Service has a port for', async () => {
    const render = ['render', ...files, '-f', '-', ...onNode1];
    const { exitCode, stdout, stderr } = await proxyconfig(render, { input: range('10.96.0.0/12') });
    expect({ exitCode, isIgnored: stderr.includes('ServiceCIDR') }).toEqual({ exitCode: 0, isIgnored: false });
    expect(stdout).toContain('-d 10.96.0.0/12 -m addrtype ! --dst-type LOCAL -j KUBE-CLUSTER-IPS-CHECK');
    expect(stdout).toContain('-A KUBE-CLUSTER-IPS-CHECK -d 10.103.193.175/32 -j KUBE-CLUSTER-IPS-REJECT');
    const without = await proxyconfig(['render', ...files, ...onNode1]);
    expect(without.stdout).not.toContain('KUBE-CLUSTER-IPS');
  });

  test('says what is wrong in one that is not valid', async () => {
    const { exitCode, stderr } = await proxyconfig(['render', ...files, '-f', '-', ...onNode1], {
      input: range('10.96.0.0'),
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ServiceCIDR kubernetes: spec.cidrs[0]: is "10.96.0.0", which is not a network');
  });
});
