/**
 * What a manifest leaves out is filled in as the API server does: the same manifest, as it was written and as the API
 * server would store it, gives the same rules.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { describeWhere } from '../support/requirements.ts';
import { proxyconfig } from './proxyconfig.ts';

type Fields = Readonly<Record<string, unknown>>;

const service = (spec: Fields): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: '10.96.0.12', ports: [{ port: 80 }], ...spec },
});
const slice = (fields: Fields): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['198.51.100.7'] }],
  ports: [{ name: '', port: 9376, protocol: 'TCP' }],
  ...fields,
});
const node = (spec: Fields): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1' },
  spec,
  status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
});
const [aNode, aService, aSlice] = [node({ podCIDRs: ['10.244.1.0/24'] }), service({}), slice({})];
const served = '--to-destination 198.51.100.7:9376';
/** The Pods of a local endpoint only: a rule that depends on the node's Pod range. */
const localOnly = service({ internalTrafficPolicy: 'Local' });

const rows = [
  { name: 'all that may be left out is written', objects: [aNode, aService, aSlice] },
  {
    name: 'a port of a slice without name and protocol',
    objects: [aNode, aService, slice({ ports: [{ port: 9376 }] })],
  },
  {
    name: 'a port of a slice with null for both',
    objects: [aNode, aService, slice({ ports: [{ port: 9376, name: null, protocol: null }] })],
  },
  {
    name: 'an endpoint with empty conditions',
    objects: [aNode, aService, slice({ endpoints: [{ addresses: ['198.51.100.7'], conditions: {} }] })],
  },
  {
    name: 'a port of a Service with an empty protocol',
    objects: [aNode, service({ ports: [{ port: 80, protocol: '' }] }), aSlice],
  },
  { name: 'an empty type and affinity', objects: [aNode, service({ type: '', sessionAffinity: '' }), aSlice] },
  { name: 'an empty external traffic policy', objects: [aNode, service({ externalTrafficPolicy: '' }), aSlice] },
  { name: 'affinity without a time-out', objects: [aNode, service({ sessionAffinity: 'ClientIP' }), aSlice] },
  {
    name: 'affinity without a time-out in its configuration',
    objects: [aNode, service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: {} } }), aSlice],
  },
  {
    name: 'a NodePort without policies',
    objects: [aNode, service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }), aSlice],
  },
  { name: 'a Node with podCIDR alone', objects: [node({ podCIDR: '10.244.1.0/24' }), aService, aSlice] },
  {
    name: 'a Node with an empty podCIDR',
    objects: [node({ podCIDR: '', podCIDRs: ['10.244.1.0/24'] }), aService, aSlice],
  },
  {
    name: 'a Node whose podCIDR is not its first',
    objects: [node({ podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.1.0/24'] }), aService, aSlice],
  },
  { name: 'a Node without a range', objects: [node({}), localOnly, aSlice], isServed: false },
];

async function rules(objects: readonly object[], mode: string): Promise<{ exitCode: number; stdout: string }> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const flags = ['render', '-f', '-', '--node', 'node-1', '--mode', mode, '-o', 'json'];
  const { exitCode, stdout } = await proxyconfig(flags, { input });
  return { exitCode, stdout };
}

describeWhere(['cluster'], 'defaults of render', () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
  }, 120_000);
  afterAll(() => server.stop(), 30_000);

  /** As the API server would store them, each as it was given. */
  async function stored(objects: readonly object[]): Promise<object[]> {
    const results = await Promise.all(
      objects.map((object) =>
        server.kubectl(['create', '--dry-run=server', '-o', 'json', '-f', '-'], { input: JSON.stringify(object) }),
      ),
    );
    return results.map(({ stdout, stderr }) => {
      expect(stderr).toBe('');
      return JSON.parse(stdout) as object;
    });
  }

  test.each(rows)('$name', async ({ objects, isServed = true }) => {
    const asStored = await stored(objects);
    for (const mode of ['iptables', 'ipvs']) {
      const [ofStored, ofWritten] = [await rules(asStored, mode), await rules(objects, mode)];
      expect(ofWritten).toEqual(ofStored);
      if (mode === 'iptables') expect(ofWritten.stdout.includes(served)).toBe(isServed);
    }
  });
});
