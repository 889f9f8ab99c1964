import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { manifest, proxyconfig } from './proxyconfig.ts';

const all = ['-f', 'test/cli/manifests'];
const onNode1 = ['--node', 'node-1'];
const chain = 'KUBE-SVC-FWZO4IPCTY5IWGE6';

function config(name: string, spec: object, metadata: object = {}): string {
  return JSON.stringify({
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'ProxyConfig',
    metadata: { name, ...metadata },
    spec,
  });
}

function mark(bit: number): object {
  return { mode: 'iptables', masquerade: { bit } };
}

describe('proxyconfig render', () => {
  describe('a Redis behind a NodePort', () => {
    test('has the rules that every runbook for kube-proxy names', async () => {
      const { exitCode, stdout } = await proxyconfig(['render', ...all, ...onNode1]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain(
        `-A KUBE-SERVICES -m comment --comment "work/saythx-redis cluster IP" -d 10.103.193.175/32 -p tcp -m tcp --dport 6379 -j ${chain}`,
      );
      expect(stdout).toMatch(new RegExp(`-A ${chain} .*--probability 0.5000000000 -j KUBE-SEP-`));
      expect(stdout).toMatch(/-A KUBE-NODEPORTS .*--dport 31269 -j KUBE-EXT-FWZO4IPCTY5IWGE6/);
      expect(stdout).toContain('-I PREROUTING');
      expect(stdout.match(/^COMMIT$/gm)).toHaveLength(stdout.match(/^\*/gm)?.length ?? 0);
    });

    test('a changed masquerade.bit changes the mark everywhere, and nothing else', async () => {
      const render = ['render', '-f', manifest('redis.yaml'), '-f', manifest('nodes.yaml'), '-f', '-', ...onNode1];
      const [before, after] = await Promise.all(
        [14, 15].map((bit) => proxyconfig(render, { input: config('all', { mode: 'iptables', masquerade: { bit } }) })),
      );
      expect(before?.stdout).toContain('0x00004000');
      expect(after?.stdout).toBe(before?.stdout.replaceAll('0x00004000', '0x00008000'));
    });

    test('the order of files does not matter', async () => {
      const files = ['redis.yaml', 'nodes.yaml', 'proxyconfig.yaml', 'dual-stack.yaml'].map(manifest);
      const [one, other] = await Promise.all(
        [files, files.toReversed()].map((order) =>
          proxyconfig(['render', ...order.flatMap((file) => ['-f', file]), ...onNode1]),
        ),
      );
      expect(one?.stdout).toContain(chain);
      expect(one?.stdout).toBe(other?.stdout);
    });

    test('from standard input, as a List of JSON', async () => {
      const items = parseAllDocuments(readFileSync(manifest('redis.yaml'), 'utf8')).map(
        (document) => document.toJS() as unknown,
      );
      const { exitCode, stdout } = await proxyconfig(['render', '-f', '-', ...onNode1], {
        input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
      });
      expect(exitCode).toBe(0);
      expect(stdout).toContain(chain);
    });

    test('from a typed list, whose items do not say their kind', async () => {
      const [, service] = parseAllDocuments(readFileSync(manifest('redis.yaml'), 'utf8')).map(
        (document) => document.toJS() as Record<string, unknown>,
      );
      const { metadata, spec } = service ?? {};
      const { exitCode, stdout } = await proxyconfig(['render', '-f', '-', ...onNode1], {
        input: JSON.stringify({ apiVersion: 'v1', kind: 'ServiceList', items: [{ metadata, spec }] }),
      });
      expect(exitCode).toBe(0);
      expect(stdout).toContain('work/saythx-redis has no endpoints');
    });
  });

  describe('families', () => {
    test('text is for the first family of the node', async () => {
      const { stdout } = await proxyconfig(['render', ...all, ...onNode1]);
      expect(stdout).toContain('10.96.0.10/32');
      expect(stdout).not.toContain('fd00:');
    });

    test('--family ipv6 is for ip6tables-restore', async () => {
      const { stdout } = await proxyconfig(['render', ...all, ...onNode1, '--family', 'ipv6']);
      expect(stdout).toContain('-d fd00:10:96::a/128');
      expect(stdout).toContain('--to-destination [fd00:10:244:1::9]:53');
      expect(stdout).not.toContain('10.96.0.10');
    });

    test('json has both, each equal to its text', async () => {
      const { stdout } = await proxyconfig(['render', ...all, ...onNode1, '-o', 'json']);
      const [ipv4, ipv6] = await Promise.all(
        ['ipv4', 'ipv6'].map((family) => proxyconfig(['render', ...all, ...onNode1, '--family', family])),
      );
      expect(JSON.parse(stdout)).toEqual([
        { tool: 'iptables-restore', args: expect.arrayContaining(['--noflush']), family: 'ipv4', input: ipv4?.stdout },
        { tool: 'ip6tables-restore', args: expect.arrayContaining(['--noflush']), family: 'ipv6', input: ipv6?.stdout },
      ]);
    });

    test('a node without an address of the family is remarked on', async () => {
      const node = {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'v4' },
        status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
      };
      const { exitCode, stderr } = await proxyconfig(['render', '-f', '-', '--node', 'v4', '--family', 'ipv6'], {
        input: JSON.stringify(node),
      });
      expect({ exitCode, stderr }).toMatchObject({
        exitCode: 0,
        stderr: expect.stringContaining('Node v4 has no ipv6 address'),
      });
    });
  });

  describe('which configuration', () => {
    const objects = ['-f', manifest('nodes.yaml'), '-f', manifest('redis.yaml'), '-f', '-'];
    const edge = { nodeSelector: { matchLabels: { pool: 'edge' } } };
    const rows = [
      {
        name: 'none in the manifests: the built-in defaults',
        input: '',
        mark: '0x00004000',
        note: 'no ProxyConfig matches node-1: the built-in defaults hold',
      },
      {
        name: 'none that matches: the same',
        input: config('core', { ...mark(5), nodeSelector: { matchLabels: { pool: 'core' } } }),
        mark: '0x00004000',
        note: 'no ProxyConfig matches',
      },
      {
        name: 'the one that matches',
        input: [
          config('core', { ...mark(5), nodeSelector: { matchLabels: { pool: 'core' } } }),
          config('edge', { ...mark(6), ...edge }),
        ].join('\n---\n'),
        mark: '0x00000040',
      },
      {
        name: 'the higher priority',
        input: [config('all', mark(5)), config('edge', { ...mark(6), ...edge, priority: 1 })].join('\n---\n'),
        mark: '0x00000040',
      },
      {
        name: 'the older of a tie, with a note',
        input: [
          config('a', mark(5), { creationTimestamp: '2026-01-02T00:00:00Z' }),
          config('b', mark(6), { creationTimestamp: '2026-01-01T00:00:00Z' }),
        ].join('\n---\n'),
        mark: '0x00000040',
        note: 'ProxyConfig b governs node-1, but a has the same priority',
      },
      {
        name: "the kind ProxyConfig of Istio is somebody else's",
        input:
          '{apiVersion: networking.istio.io/v1beta1, kind: ProxyConfig, metadata: {name: x}, spec: {concurrency: 2}}',
        mark: '0x00004000',
        note: 'ignored: v1 Namespace (1), networking.istio.io/v1beta1 ProxyConfig (1)',
      },
    ];
    test.each(rows)('$name', async ({ input, mark: expected, note }) => {
      const { exitCode, stdout, stderr } = await proxyconfig(['render', ...objects, ...onNode1], { input });
      expect(exitCode).toBe(0);
      expect(stdout.match(/--or-mark \S+/)?.[0]).toBe(`--or-mark ${expected}`);
      if (note !== undefined) expect(stderr).toContain(note);
    });
  });

  describe('the node', () => {
    test('without any Node, --node is taken as one without labels', async () => {
      const { exitCode, stdout, stderr } = await proxyconfig([
        'render',
        '-f',
        manifest('redis.yaml'),
        '--node',
        'new-node',
      ]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain(chain);
      expect(stderr).toContain('no Node in the manifests: new-node is taken to have no labels and addresses');
    });

    test('a node that is not among them is an error that names them', async () => {
      const { exitCode, stdout, stderr } = await proxyconfig(['render', ...all, '--node', 'node-3']);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toContain(
        'error: --node node-3: there is no such Node in the manifests, which hold node-1, node-2',
      );
    });
  });

  describe('what no agent of this version can run', () => {
    test.each([
      { args: ['--mode', 'nftables'], input: '', mode: 'nftables' },
      { args: [], input: config('all', { mode: 'userspace' }), mode: 'userspace' },
    ])('$mode', async ({ args, input, mode }) => {
      const { exitCode, stdout, stderr } = await proxyconfig(
        ['render', '-f', manifest('redis.yaml'), '-f', '-', ...onNode1, ...args],
        { input },
      );
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toContain(`mode ${mode} cannot be rendered`);
    });

    test('NodePorts on loopback addresses', async () => {
      const input = config('all', { mode: 'iptables', nodePorts: { addresses: ['primary', 'localhost'] } });
      const { exitCode, stdout, stderr } = await proxyconfig(['render', '-f', '-', ...onNode1], { input });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toContain('error: spec.nodePorts.addresses[1] is localhost');
    });

    test('--mode iptables shows what an ipvs ProxyConfig would give', async () => {
      const input = config('all', { mode: 'ipvs', ipvs: { scheduler: 'lc' }, masquerade: { bit: 15 } });
      expect((await proxyconfig(['render', '-f', '-', ...onNode1, '--mode', 'iptables'], { input })).stdout).toContain(
        '0x00008000',
      );
    });
  });

  describe('ipvs mode', () => {
    const ipvs = ['render', ...all, ...onNode1, '--mode', 'ipvs'];

    test('prints the input of each tool behind a line that names it', async () => {
      const { exitCode, stdout } = await proxyconfig(ipvs);
      expect(exitCode).toBe(0);
      const tools = stdout.split('\n').filter((line) => line.startsWith('# '));
      expect(tools).toEqual([
        '# ipvsadm -R',
        '# ipset -exist restore',
        '# iptables-restore -w 5 --noflush --counters',
        '# ip -batch -',
      ]);
    });

    test('has a virtual server for the ClusterIP and for the NodePort on the node', async () => {
      const { stdout } = await proxyconfig([...ipvs, '--tool', 'ipvsadm']);
      expect(stdout).toContain('\n-A -t 10.103.193.175:6379 -s rr\n');
      expect(stdout).toContain('\n-a -t 192.0.2.11:31269 -r 10.244.1.3:6379 -m -w 1\n');
      expect(stdout).not.toContain('#');
    });

    test('the kernel is told how long to remember idle connections', async () => {
      const input = config('all', {
        mode: 'ipvs',
        ipvs: { scheduler: 'rr', tcpTimeoutSeconds: 800, tcpFinTimeoutSeconds: 60, udpTimeoutSeconds: 40 },
      });
      const { stdout } = await proxyconfig(['render', '-f', '-', ...onNode1, '--tool', 'ipvsadm'], { input });
      expect(stdout).toMatch(/^--set 800 60 40$/m);
    });

    test('names its IPv6 sets as kube-proxy does', async () => {
      const { stdout } = await proxyconfig([...ipvs, '--family', 'ipv6', '--tool', 'ipset']);
      expect(stdout).toContain('create KUBE-6-NODE-PORT-LOCAL-SCTP-HAS hash:ip,port family inet6 ');
    });
  });

  describe('an output of many Services', () => {
    const services = Array.from({ length: 1000 }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `web-${index}` },
      spec: { clusterIP: `10.96.${Math.floor(index / 200) + 1}.${(index % 200) + 1}`, ports: [{ port: 80 }] },
    }));
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: services });

    test('arrives whole, though it is longer than a pipe holds', async () => {
      const { stdout } = await execa(
        'bash',
        ['-c', 'src/main.ts render -f - --node node-1 -o json | cat; echo "${PIPESTATUS[*]}"'],
        { input },
      );
      expect(stdout.length).toBeGreaterThan(65_536);
      expect(stdout).toMatch(/\]\n0 0$/);
    });

    test('may be cut short by its reader', async () => {
      const { stdout, stderr } = await execa(
        'bash',
        ['-c', 'src/main.ts render -f - --node node-1 -o json | head -c 10; echo " ${PIPESTATUS[*]}"'],
        {
          input,
        },
      );
      expect(stdout).toMatch(/ 0 0$/);
      expect(stderr).not.toContain('EPIPE');
    });
  });
});
