import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startApiServer, type ApiServer } from '../cluster/apiServer.ts';
import { describeWhere } from '../support/requirements.ts';
import { manifest, proxyconfig } from './proxyconfig.ts';

describeWhere(['cluster'], 'proxyconfig render beside the API server', () => {
  let server: ApiServer;

  beforeAll(async () => {
    server = await startApiServer();
    for (const args of [
      ['apply', '-k', 'crds'],
      ['wait', '--for=condition=Established', 'crd', '--all'],
      ['apply', '-f', manifest('redis.yaml')],
      ['apply', '-f', 'test/cli/manifests'],
    ]) {
      expect(await server.kubectl(args)).toMatchObject({ exitCode: 0 });
    }
  }, 120_000);

  afterAll(() => server.stop(), 30_000);

  test('manifests as written and as the API server stores them give the same rules', async () => {
    const { stdout: stored } = await server.kubectl([
      'get',
      'pxc,nodes,services,endpointslices',
      '--all-namespaces',
      '-o',
      'yaml',
    ]);
    expect(stored).toContain('internalTrafficPolicy: Cluster');
    expect(stored).toContain('timeoutSeconds: 10800');
    const kubernetes = { namespace: 'default', name: 'kubernetes' };
    const fromCluster = await proxyconfig(['render', '-f', '-', '--node', 'node-1', '-o', 'json'], { input: stored });
    const fromFiles = await proxyconfig(
      ['render', '-f', 'test/cli/manifests', '-f', '-', '--node', 'node-1', '-o', 'json'],
      {
        input: (await server.kubectl(['get', 'service', kubernetes.name, '-n', kubernetes.namespace, '-o', 'json']))
          .stdout,
      },
    );
    expect(fromCluster).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(fromCluster.stdout)).toEqual(JSON.parse(fromFiles.stdout));
    expect(fromCluster.stdout).toContain('KUBE-SVC-FWZO4IPCTY5IWGE6');
  });

  test.each([
    { name: 'no ports', spec: { ports: [] }, field: 'spec.ports' },
    { name: 'ports without names', spec: { ports: [{ port: 80 }, { port: 81 }] }, field: 'spec.ports[0].name' },
    {
      name: 'a name twice',
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      },
      field: 'spec.ports[1].name',
    },
    {
      name: 'a port twice',
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
      field: 'spec.ports[1]',
    },
    {
      name: 'a NodePort of type ClusterIP',
      spec: { ports: [{ port: 80, nodePort: 30_080 }] },
      field: 'spec.ports[0].nodePort',
    },
    {
      name: 'a protocol in lower case',
      spec: { ports: [{ port: 80, protocol: 'tcp' }] },
      field: 'spec.ports[0].protocol',
    },
    {
      name: 'addresses in the list alone',
      spec: { ports: [{ port: 80 }], clusterIPs: ['10.96.0.9'] },
      field: 'spec.clusterIPs',
    },
    { name: 'a type in lower case', spec: { ports: [{ port: 80 }], type: 'clusterip' }, field: 'spec.type' },
  ])('what render refuses in a Service, the API server refuses in the same field: $name', async ({ spec, field }) => {
    const input = JSON.stringify(service(spec));
    const { stderr } = await server.kubectl(['create', '--dry-run=server', '-f', '-'], { input });
    expect(stderr).toContain(`${field}: `);
    const { exitCode, stderr: ours } = await proxyconfig(['render', '-f', '-', '--node', 'x'], { input });
    expect({ exitCode, ours }).toEqual({
      exitCode: 1,
      ours: expect.stringContaining(`error: standard input: Service default/web: ${field}`),
    });
  });
});

function service(spec: object): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec };
}
