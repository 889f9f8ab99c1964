import { describe, expect, test } from '@jest/globals';
import { parseManifests } from '../../src/cli/render/manifests.ts';
import { renderManifests, type Rendered } from '../../src/cli/render/render.ts';
import { proxyconfig } from './proxyconfig.ts';

const service = (spec: string, metadata = 'name: web'): string =>
  `{apiVersion: v1, kind: Service, metadata: {${metadata}}, spec: {${spec}}}`;
const slice = (body: string): string =>
  `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}, ${body}}`;
const proxyConfig = (spec: string): string =>
  `{apiVersion: proxyconfig.dev/v1alpha1, kind: ProxyConfig, metadata: {name: all}, spec: {${spec}}}`;
const endpoints = (count: number): string => `[${Array(count).fill('{addresses: [no]}').join(', ')}]`;
const many = (count: number): string => slice(`addressType: IPv4, endpoints: ${endpoints(count)}`);
const documents = (count: number, text: string): string => Array(count).fill(text).join('\n---\n');
const web = 'Service default/web';

/** Manifest -> what must be said of it: the object, the field and the remedy. */
const rows = [
  { name: 'not YAML', input: 'a: [', says: ['not YAML'] },
  { name: 'two keys of one name', input: '{kind: Service, kind: Node}', says: ['not YAML', 'unique'] },
  { name: 'no kind', input: 'spec: {}', says: ['without apiVersion and kind'] },
  { name: 'a text', input: 'hello', says: ['without apiVersion and kind'] },
  {
    name: 'ProxyConfig without a mode',
    input: proxyConfig(''),
    says: ['ProxyConfig all', 'spec.mode', 'one of iptables, ipvs, nftables, userspace'],
  },
  {
    name: 'ProxyConfig with the settings of another mode',
    input: proxyConfig('mode: ipvs, iptables: {}'),
    says: ['ProxyConfig all', 'spec.iptables', 'remove spec.iptables or change spec.mode'],
  },
  {
    name: 'ProxyConfig with a misspelt field',
    input: proxyConfig('mode: iptables, masquarade: {bit: 1}'),
    says: ['spec.masquarade', 'is not a field', 'masquerade'],
  },
  {
    name: 'ProxyConfig with a word that is no address',
    input: proxyConfig('mode: iptables, nodePorts: {addresses: [primary, secondary]}'),
    says: ['spec.nodePorts.addresses[1]', 'must be primary, localhost, all or a canonical CIDR', 'not "secondary"'],
  },
  {
    name: 'ProxyConfig with a keyword twice',
    input: proxyConfig('mode: iptables, nodePorts: {addresses: [primary, all, primary]}'),
    says: ['spec.nodePorts.addresses[2]', 'duplicate', 'remove it'],
  },
  {
    name: 'ProxyConfig beyond a bound',
    input: proxyConfig('mode: iptables, masquerade: {bit: 32}'),
    says: ['spec.masquerade.bit', 'at most 31'],
  },
  {
    name: 'Service without ports',
    input: service('clusterIP: 10.96.0.1'),
    says: [web, 'spec.ports', 'give at least one port'],
  },
  {
    name: 'Service with a bad address',
    input: service('clusterIP: 10.96.0.256, ports: [{port: 80}]'),
    says: [web, 'spec.clusterIP', 'IP address'],
  },
  {
    name: 'Service with a bad port',
    input: service('clusterIP: 10.96.0.1, ports: [{port: 65536}]'),
    says: [web, 'spec.ports[0].port', '1 to 65535'],
  },
  {
    name: 'Service with a lower-case protocol',
    input: service('clusterIP: 10.96.0.1, ports: [{port: 80, protocol: tcp}]'),
    says: [web, 'spec.ports[0].protocol', 'TCP, UDP, SCTP'],
  },
  {
    name: 'Service with two ports without names',
    input: service('clusterIP: 10.96.0.1, ports: [{port: 80}, {port: 81}]'),
    says: [web, 'spec.ports[0].name', 'give each a name'],
  },
  {
    name: 'Service with a name twice',
    input: service('clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: a, port: 81}]'),
    says: [web, 'spec.ports[1].name'],
  },
  {
    name: 'Service with a port twice',
    input: service('clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: b, port: 80, protocol: TCP}]'),
    says: [web, 'spec.ports[1].port', 'remove one'],
  },
  {
    name: 'Service of type ClusterIP with a NodePort',
    input: service('clusterIP: 10.96.0.1, ports: [{port: 80, nodePort: 30080}]'),
    says: [web, 'spec.ports[0].nodePort', 'spec.type to NodePort'],
  },
  {
    name: 'Service with an affinity that is too long',
    input: service(
      'clusterIP: 10.96.0.1, ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}',
    ),
    says: [web, 'timeoutSeconds', '86400'],
  },
  {
    name: 'Service without an address, which is looked at all the same',
    input: service('ports: [{port: 0}]'),
    says: [web, 'spec.ports[0].port', '1 to 65535'],
  },
  {
    name: 'Service with a hostile name',
    input: service('clusterIP: 10.96.0.1, ports: [{port: 80}]', String.raw`name: "a\n-A INPUT -j DROP"`),
    says: ['metadata.name', 'DNS label'],
  },
  {
    name: 'Service with a source range that is none',
    input: service('type: LoadBalancer, clusterIP: 10.96.0.1, ports: [{port: 80}], loadBalancerSourceRanges: [all]'),
    says: [web, 'spec.loadBalancerSourceRanges[0]', 'CIDR'],
  },
  {
    name: 'the same object twice',
    input: [service('clusterIP: None'), service('clusterIP: None')].join('\n---\n'),
    says: [web, 'metadata.name', 'remove or rename'],
  },
  {
    name: 'slice with a host name',
    input: slice('addressType: IPv4, endpoints: [{addresses: [example.com]}]'),
    says: ['EndpointSlice default/web-1', 'endpoints[0].addresses[0]', 'IP address'],
  },
  {
    name: 'slice that leads to loopback',
    input: slice('addressType: IPv4, endpoints: [{addresses: [127.0.0.1]}]'),
    says: ['EndpointSlice default/web-1', 'endpoints[0].addresses[0]', 'loopback'],
  },
  {
    name: 'slice without an address type',
    input: slice('endpoints: []'),
    says: ['EndpointSlice default/web-1', 'addressType', 'IPv4'],
  },
];

function rendered(input: string): Rendered {
  return renderManifests(parseManifests('standard input', input), { node: 'node-1', output: 'text' });
}

describe('proxyconfig render', () => {
  describe('invalid objects are named, with field and remedy, and nothing is printed', () => {
    test.each(rows)('$name', ({ input, says }) => {
      const { output, problems } = rendered(input);
      expect(output).toBe('');
      expect(problems).not.toEqual([]);
      expect(problems.filter((problem) => !problem.startsWith('standard input: '))).toEqual([]);
      for (const text of says) expect(problems.join('\n')).toContain(text);
    });

    test('all of them, not only the first', async () => {
      const { exitCode, stdout, stderr } = await proxyconfig(['render', '-f', '-', '--node', 'x'], {
        input: [proxyConfig(''), service('clusterIP: localhost, ports: [{port: 0}]')].join('\n---\n'),
      });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr.match(/^error: /gm)).toHaveLength(3);
    });

    test.each([
      { name: 'in one object', input: many(200_000), count: 200_000 },
      { name: 'in as many objects', input: documents(10_000, 'a: 1'), count: 10_000 },
      { name: 'of which all are printed', input: many(50), count: 50 },
    ])('very many: the first 50 and how many more $name', async ({ input, count }) => {
      const { exitCode, stderr } = await proxyconfig(['render', '-f', '-', '--node', 'x'], { input });
      expect(exitCode).toBe(1);
      const lines = stderr.trimEnd().split('\n');
      expect(lines.slice(0, 50).filter((line) => line.startsWith('error: standard input: '))).toHaveLength(50);
      expect(lines.slice(50)).toEqual(count > 50 ? [`error: and ${count - 50} more`] : []);
    });

    test('a file that is not there', async () => {
      const { exitCode, stderr } = await proxyconfig(['render', '-f', 'nowhere.yaml', '--node', 'x']);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('error: nowhere.yaml: cannot be read');
    });

    test('a directory without manifests', async () => {
      const { exitCode, stderr } = await proxyconfig(['render', '-f', 'test/cluster/go', '--node', 'x']);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('error: test/cluster/go: cannot be read: there is no *.yaml');
    });
  });

  describe('what leads to no rule is remarked on', () => {
    const notes = [
      {
        name: 'an external IP that the ProxyConfig does not allow',
        input: service('clusterIP: 10.96.0.1, externalIPs: [198.51.100.7], ports: [{port: 80}]'),
        note: 'spec.externalIPs 198.51.100.7 not served: spec.externalIPs.allowedCIDRs',
      },
      {
        name: 'source ranges of one family',
        input: `${service('type: LoadBalancer, clusterIP: 10.96.0.1, loadBalancerSourceRanges: [2001:db8::/32], ports: [{port: 80}]').slice(0, -1)}, status: {loadBalancer: {ingress: [{ip: 198.51.100.7}]}}}`,
        note: 'spec.loadBalancerSourceRanges has no ipv4 range: nobody reaches its ipv4 load balancer addresses',
      },
      {
        name: 'a slice of no Service',
        input:
          '{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web}, addressType: IPv4, endpoints: []}',
        note: 'no label kubernetes.io/service-name',
      },
      { name: 'a cluster IP', input: service('ports: [{port: 80}]'), note: 'no spec.clusterIP, so no rules' },
      {
        name: 'a NodePort',
        input: service('type: NodePort, clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]'),
        note: 'no nodePort for port http',
      },
    ];
    test.each(notes)('$name', ({ input, note }) => {
      const { output, notes: said, problems } = rendered(input);
      expect(problems).toEqual([]);
      expect(said.find((each) => each.includes('default/web: '))).toContain(note);
      expect(output).not.toContain('192.0.2.');
      expect(output).not.toContain('KUBE-EXT-');
    });

    test.each([
      { name: 'headless', input: service('clusterIP: None') },
      { name: 'ExternalName', input: service('type: ExternalName, externalName: example.com') },
    ])('but a Service that is never proxied is left alone: $name', ({ input }) => {
      const { output, notes: said, problems } = rendered(input);
      expect(problems).toEqual([]);
      expect([output, ...said].join()).not.toContain('default/web');
    });
  });
});
