import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { AgentNode, type AgentProcess } from './agentNode.ts';
import { type NodeProxyAccess, nodeProxyOf, readyCondition } from './nodeProxyOf.ts';
import { addHealthCheckAddresses, balanced, healthCheckAnswers } from './healthCheckNodePort.ts';
import { node, service, slice, withoutIdentity } from '../support/objects.ts';

const stale = `*nat
:KUBE-SVC-AAAAAAAAAAAAAAAA -
:KUBE-SEP-AAAAAAAAAAAAAAAA -
-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-AAAAAAAAAAAAAAAA
COMMIT
`;
const foreign = ['-A INPUT -s 203.0.113.7/32 -m comment --comment "of others" -j DROP', '-A THEIRS -p tcp -j ACCEPT'];
const foreignInput = `*filter\n:THEIRS -\n${foreign.join('\n')}\nCOMMIT\n`;

const serves = (address: string) => (rules: string) => rules.includes(`-j DNAT --to-destination ${address}:8080`);
/** Without a size of the table, which only the first network namespace may set. */
const udpTimeout = (seconds: number): NodeConfig['conntrack'] => ({
  ...builtIn().config.conntrack,
  maxPerCore: 0,
  udpTimeoutSeconds: seconds,
});

// The tests follow on one another, on one node.
describeWhere(['root', 'cluster', 'iptables'], 'Agent with a real API server and iptables', () => {
  let host: AgentNode;
  let agent: AgentProcess;
  let nodeProxy: NodeProxyAccess;
  beforeAll(async () => {
    host = await AgentNode.start();
    nodeProxy = nodeProxyOf(host, () => agent.log());
    await host.apply(
      withoutIdentity(node(host.name, ['192.168.0.1'])),
      ...[service('web'), slice('web')].map(withoutIdentity),
    );
  }, 120_000);

  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  const udpTimeoutInForce = (): Promise<string> =>
    host.run(['cat', '/proc/sys/net/netfilter/nf_conntrack_udp_timeout']);

  test('runs its built-in configuration without the CRDs, and removes stale rules of its own but none of others', async () => {
    await host.run(['iptables-restore', '--noflush'], stale + foreignInput);
    agent = host.startAgent();
    await host.untilRules('the Service is served', serves('10.1.0.1'));
    const rules = await host.rules();
    expect(rules).not.toContain('AAAAAAAAAAAAAAAA');
    for (const line of foreign) expect(rules).toContain(line);
    expect(await host.get(10_256, '/healthz')).toMatchObject({ status: 200, body: expect.stringContaining('"IPv4"') });
    expect(await host.get(10_249, '/proxyMode')).toEqual({ status: 200, body: 'iptables' });
    expect((await host.get(10_249, '/metrics')).body).toContain(
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"}',
    );
  }, 60_000);

  test('stops on SIGTERM and leaves the rules', async () => {
    const before = await host.rules();
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(await host.rules()).toBe(before);
  });

  test('finds its NodeProxy after a restart, removes what went away meanwhile, and reports', async () => {
    await host.kubectl(['apply', '-k', 'crds']);
    await host.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    await host.apply(
      ...[service('gone', { clusterIPs: ['10.96.0.99'] }), slice('gone', { addresses: ['10.1.0.99'] })].map(
        withoutIdentity,
      ),
    );
    agent = host.startAgent();
    await host.untilRules('both Services are served', serves('10.1.0.99'));
    await agent.end('SIGKILL');
    await host.kubectl(['delete', 'service/gone', 'endpointslice/gone-1']);
    await nodeProxy.set('r1');
    agent = host.startAgent();
    await host.untilRules(
      'the Service that is gone is not served',
      (rules) => !serves('10.1.0.99')(rules) && serves('10.1.0.1')(rules),
    );
    const status = await nodeProxy.untilStatus('it is Ready', ({ state }) => state === 'Ready');
    expect(status).toMatchObject({
      mode: 'iptables',
      revision: 'r1',
      dataplane: { quarantinedCount: 0 },
      kernel: expect.any(String),
      agentVersion: expect.any(String),
    });
    expect(status.dataplane?.services).toBeGreaterThanOrEqual(1);
    expect(readyCondition(status)).toMatchObject({ status: 'True', reason: 'Synced' });
  }, 60_000);

  test('follows an endpoint that changes', async () => {
    await host.apply(withoutIdentity(slice('web', { addresses: ['10.1.0.2'] })));
    const ms = await host.untilRules(
      'the new endpoint is served',
      (rules) => serves('10.1.0.2')(rules) && !serves('10.1.0.1')(rules),
    );
    expect(ms).toBeLessThan(10_000);
  });

  test('applies another masquerade.bit without a restart', async () => {
    await nodeProxy.set('r2', { masquerade: { bit: 15, all: false } });
    await host.untilRules(
      'the mark is 0x8000',
      (rules) => rules.includes('--set-xmark 0x8000/0x8000') && !rules.includes('0x4000'),
    );
    const status = await nodeProxy.untilStatus('r2 is in force', ({ revision }) => revision === 'r2');
    expect(status).toMatchObject({ state: 'Ready', previousRevision: 'r1' });
    expect(agent.log().match(/agent starts/g)).toHaveLength(1);
  });

  test('listens on health-check node ports where NodePorts are served, as the configuration says', async () => {
    await addHealthCheckAddresses(host);
    await host.apply(withoutIdentity(balanced));
    // 503: the Service has no endpoint on this node. It is of IPv4 alone.
    const steps = [
      { nodePorts: undefined, expected: ['127.0.0.1 503', '192.168.0.1 503', '192.168.5.1 503'] },
      { nodePorts: { addresses: ['192.168.5.0/24', 'fd00:168::/64'] }, expected: ['192.168.5.1 503'] },
      { nodePorts: { addresses: ['primary'] }, expected: ['192.168.0.1 503'] },
      { nodePorts: { addresses: ['203.0.113.0/24'] }, expected: [] },
    ] as const;
    for (const [index, { nodePorts, expected }] of steps.entries()) {
      await nodeProxy.set(`health-${index}`, {
        masquerade: { bit: 15, all: false },
        ...(nodePorts && { nodePorts }),
      } as Partial<NodeConfig>);
      let seen: string[] = [];
      await until(
        `it answers at ${expected.join(', ')}`,
        async () => isDeepStrictEqual((seen = await healthCheckAnswers(host)), expected),
        20_000,
      ).catch((cause: unknown) => {
        throw new Error(`${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`, { cause });
      });
    }
    const { state, conditions } = await nodeProxy.untilStatus(
      'its external IPs are reported',
      (status) => status.conditions?.some(({ type }) => type === 'ExternalIPs') ?? false,
    );
    expect({ state, condition: conditions?.find(({ type }) => type === 'ExternalIPs') }).toMatchObject({
      state: 'Ready',
      condition: { status: 'False', message: expect.stringContaining('default/balanced') },
    });
    await host.kubectl(['delete', 'service/balanced']);
    await nodeProxy.set('r2', { masquerade: { bit: 15, all: false } });
    const after = await nodeProxy.untilStatus('r2 is in force', ({ revision }) => revision === 'r2');
    expect(after.conditions?.map(({ type }) => type)).not.toContain('ExternalIPs');
  }, 90_000);

  test('writes spec.conntrack into the kernel of the node, without a restart', async () => {
    await nodeProxy.set('conntrack', { masquerade: { bit: 15, all: false }, conntrack: udpTimeout(77) });
    await until('it is written', async () => (await udpTimeoutInForce()) === '77', 30_000);
    const status = await nodeProxy.untilStatus('it is in force', ({ revision }) => revision === 'conntrack');
    expect(status.conditions?.map(({ type }) => type)).not.toContain('ConntrackSettings');
    await nodeProxy.set('r2', { masquerade: { bit: 15, all: false } });
    await nodeProxy.untilStatus('r2 is in force', ({ revision }) => revision === 'r2');
  }, 60_000);

  test('refuses a mode that the node cannot run: the status says why, and Services go on', async () => {
    await nodeProxy.set('r3', { mode: 'ipvs' });
    const status = await nodeProxy.untilStatus('it is refused', ({ state }) => state === 'Degraded');
    expect(status).toMatchObject({ mode: 'iptables', revision: 'r2' });
    expect(readyCondition(status)).toMatchObject({
      status: 'False',
      reason: 'KernelModuleMissing',
      message: expect.stringMatching(
        /no IP virtual servers \(modprobe ip_vs; CONFIG_IP_VS\).*mode iptables, revision r2/,
      ),
    });
    await host.apply(withoutIdentity(slice('web', { addresses: ['10.1.0.3'] })));
    await host.untilRules('the new endpoint is served', serves('10.1.0.3'));
    expect(await host.rules()).toContain('--set-xmark 0x8000/0x8000');
  });

  test('serves while the API server is away, and follows changes when it is back', async () => {
    await nodeProxy.set('r4', { masquerade: { bit: 15, all: false } });
    await nodeProxy.untilStatus('r4 is in force', ({ revision }) => revision === 'r4');
    const before = await host.rules();
    await host.server.stopServer();
    try {
      await until('the agent has noticed', () => /list or watch failed/.test(agent.log()), 30_000);
      expect((await host.get(10_256, '/healthz')).status).toBe(200);
      expect(await host.rules()).toBe(before);
    } finally {
      await host.server.startServer();
    }
    await host.apply(withoutIdentity(slice('web', { addresses: ['10.1.0.4'] })));
    await host.untilRules('the new endpoint is served', serves('10.1.0.4'), 30_000);
  }, 90_000);

  test('writes nothing when it starts while the API server is away, and uses the saved configuration without a NodeProxy', async () => {
    await host.kubectl(['delete', 'nodeproxy', host.name]);
    await agent.end('SIGTERM');
    const before = await host.rules();
    await host.server.stopServer();
    try {
      agent = host.startAgent();
      await until('the agent has tried', () => /list or watch failed/.test(agent.log()), 30_000);
      expect(await host.rules()).toBe(before);
      expect((await host.get(10_256, '/healthz')).status).toBe(503);
      expect((await host.get(10_256, '/livez')).status).toBe(200);
    } finally {
      await host.server.startServer();
    }
    await until('it has synced', () => /"message":"synced"/.test(agent.log()), 30_000);
    expect((await host.get(10_249, '/metrics')).body).toContain(
      'proxyconfig_config_info{mode="iptables",revision="r4",source="Saved"} 1',
    );
    expect(await host.rules()).toBe(before);
  }, 90_000);

  test('names and counts a Service that the kernel refuses, and serves all others', async () => {
    await agent.end('SIGTERM');
    const refusing = path.join(host.stateDirectory, 'refuses-one');
    await writeFile(
      refusing,
      '#!/bin/sh\ninput=$(cat)\ncase "$input" in *10.96.0.66/32*) exit 1;; esac\nprintf "%s\\n" "$input" | exec "/usr/sbin/${0##*/}" "$@"\n',
    );
    await chmod(refusing, 0o755);
    const shadow = `mount -t tmpfs none /usr/local/sbin; for variant in nft legacy; do cp ${refusing} /usr/local/sbin/iptables-$variant-restore; done; exec "$@"`;
    agent = host.startAgent({ wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', shadow, 'sh'] });
    await host.apply(
      ...[
        service('refused', { clusterIPs: ['10.96.0.66'] }),
        slice('refused', { addresses: ['10.1.0.66'] }),
        slice('web', { addresses: ['10.1.0.5'] }),
      ].map(withoutIdentity),
    );
    await nodeProxy.set('refusing');
    const counted = async (): Promise<string | undefined> =>
      /^proxyconfig_quarantined_services .*$/m.exec((await host.get(10_249, '/metrics')).body)?.[0];
    const status = await nodeProxy.untilStatus(
      'it is named',
      ({ dataplane }) => (dataplane?.quarantinedCount ?? 0) > 0,
    );
    expect(status).toMatchObject({
      state: 'Ready',
      dataplane: {
        quarantinedCount: 1,
        quarantined: [{ namespace: 'default', name: 'refused', reason: 'KernelRefused' }],
      },
    });
    expect(await counted()).toBe('proxyconfig_quarantined_services 1');
    await host.untilRules('the other is served', serves('10.1.0.5'));
    expect(await host.rules()).not.toContain('10.96.0.66');
    await host.kubectl(['delete', 'service/refused']);
    await nodeProxy.untilStatus('all are served', ({ dataplane }) => dataplane?.quarantinedCount === 0);
    expect(await counted()).toBe('proxyconfig_quarantined_services 0');
  }, 90_000);

  test('names in ConntrackSettings what it could not write where /proc/sys is read-only, and serves', async () => {
    await agent.end('SIGTERM');
    await nodeProxy.set('read-only', { conntrack: udpTimeout(78) });
    const readOnly = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"';
    agent = host.startAgent({
      wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', readOnly, 'sh'],
    });
    const status = await nodeProxy.untilStatus(
      'it reports it',
      ({ conditions }) => conditions?.some(({ type }) => type === 'ConntrackSettings') ?? false,
    );
    expect(status).toMatchObject({ state: 'Ready', revision: 'read-only' });
    const words = {
      status: 'False',
      reason: 'NotWritable',
      message: expect.stringContaining('nf_conntrack_udp_timeout = 78 (is 77)'),
    };
    expect(status.conditions?.find(({ type }) => type === 'ConntrackSettings')).toMatchObject(words);
    expect(await udpTimeoutInForce()).toBe('77');
  }, 90_000);

  test('is never Ready with tools that do nothing and report success', async () => {
    await agent.end('SIGTERM');
    await host.run(['sh', '-c', 'iptables -t nat -F; iptables -F']);
    const fake = path.join(host.stateDirectory, 'does-nothing');
    await writeFile(
      fake,
      '#!/bin/sh\ncase "$*" in *--version*) echo "iptables v1.8.9 (nf_tables)";; esac\n[ -t 0 ] || cat >/dev/null 2>&1\nexit 0\n',
    );
    await chmod(fake, 0o755);
    await nodeProxy.set('r5');
    const bind = `for tool in $(readlink -f /usr/sbin/iptables-restore) $(readlink -f /usr/sbin/iptables-legacy-restore); do mount --bind ${fake} "$tool"; done; exec "$@"`;
    agent = host.startAgent({ wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', bind, 'sh'] });
    const status = await nodeProxy.untilStatus('it has reported', ({ state }) => state !== undefined);
    expect(status.state).toBe('Degraded');
    expect(readyCondition(status)).toMatchObject({ status: 'False', reason: 'VerificationFailed' });
    expect((await host.get(10_256, '/readyz')).status).toBe(503);
  }, 60_000);
});
