/**
 * What people and machines do to a node while it serves: an agent as a process of its own, the real API server, the real iptables and the
 * real kube-proxy, and new connections all the time. Promised times are awaited three times as long, and what was measured is printed.
 */
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AgentNode, type AgentProcess } from '../agent/agentNode.ts';
import { node, service, slice } from '../agent/objects.ts';
import { builtIn } from '../../src/agent/desiredConfig.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { until } from '../kube/until.ts';
import { describeWhere } from '../requirements.ts';
import { scaled } from '../scale.ts';

const clusterIP = '10.96.0.10';
const endpoints = ['10.1.0.1', '10.1.0.2'];
/** Serves like the others, and is an endpoint only for a while. */
const guest = '10.1.0.3';
const serves = (rules: string): boolean => rules.includes(`-d ${clusterIP}/32`) && rules.includes(`--to-destination ${endpoints[0]}:8080`);
const hasJumps = (rules: string): boolean => /-A PREROUTING .*-j KUBE-SERVICES/.test(rules);
const isWhole = (rules: string): boolean => serves(rules) && hasJumps(rules);

/** After the agent decided to write. */
const moments = Array.from({ length: scaled(4, 12) }, (_, index) => index * scaled(25, 8));

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

interface Outcome {
  readonly ok: number;
  readonly failed: number;
  readonly reasons: Record<string, number>;
  readonly perSecond: number;
}

describeWhere(['root', 'cluster', 'iptables'], 'faults on a node that serves', () => {
  let host: AgentNode;
  let agent: AgentProcess;
  let generation = 0;

  beforeAll(async () => {
    host = await AgentNode.start();
    await host.run(['sh', '-ec', network]);
    const objects = [node(host.name, ['192.168.0.1']), service('web', { clusterIPs: [clusterIP] }), slice('web', { addresses: endpoints })];
    await host.apply(...objects.map(withoutIdentity));
    await host.kubectl(['apply', '-k', 'crds']);
    await host.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    agent = host.startAgent();
    await host.untilRules('the Service is served', isWhole);
  }, 120_000);
  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  async function configure(config: Partial<NodeConfig>): Promise<void> {
    generation += 1;
    const spec = { configRef: { name: 'default', uid: 'u', generation }, revision: `r${generation}`, config: { ...builtIn().config, ...config } };
    await host.apply({ apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: host.name }, spec });
    const jsonPath = '{.status.revision} {.status.state}';
    await until('it is in force', async () => (await host.kubectl(['get', 'nodeproxy', host.name, '-o', `jsonpath=${jsonPath}`])) === `r${generation} Ready`, 30_000);
  }

  /** New connections to the Service while something happens. */
  async function underTraffic(action: () => Promise<void>, perSecond = 500): Promise<Outcome> {
    const worker = host.spawn([process.execPath, 'test/faults/trafficWorker.ts', clusterIP, '80', String(perSecond), ...endpoints, guest]);
    let output = '';
    worker.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = once(worker, 'close');
    try {
      await until('the traffic flows', () => output.includes('ready'));
      await sleep(500);
      await action();
      await sleep(500);
    } finally {
      worker.stdin.end();
      await ended;
    }
    return JSON.parse(output.split('\n')[1] ?? '') as Outcome;
  }

  const syncs = (): number => agent.log().split('"message":"synced"').length - 1;

  test('an administrator flushes the nat table: heard and repaired', async () => {
    const took: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      // Also where the agent has not read back yet what it wrote after the flush before.
      await host.run(['iptables', '-t', 'nat', '-F']);
      took.push(await host.untilRules('the rules are back', isWhole, 3000));
    }
    await until('the agent has read them back', () => agent.log().lastIndexOf('"message":"synced"') > agent.log().lastIndexOf('"message":"sync failed"'), 10_000);
    say(`iptables -t nat -F was repaired after ${took.join(', ')} ms`);
  }, 60_000);

  test('an administrator flushes everything: heard and repaired, and the anchor that cannot be flushed stood all the time', async () => {
    await host.run(['nft', 'flush', 'ruleset']);
    expect(await host.run(['nft', 'list', 'tables'])).toMatch(/proxyconfig-anchor-held/);
    const took = await host.untilRules('the rules are back', isWhole, 3000);
    await until('the lasting anchor is back', async () => /^table ip proxyconfig-anchor$/m.test(await host.run(['nft', 'list', 'tables'])), 3000);
    say(`nft flush ruleset was repaired after ${took} ms`);
  });

  test('drift.policy Report tells and touches nothing; Enforce repairs', async () => {
    await configure({ drift: { policy: 'Report', checkPeriodSeconds: 60 } });
    await host.run(['iptables', '-t', 'nat', '-F']);
    const state = (): Promise<string> => host.kubectl(['get', 'nodeproxy', host.name, '-o', 'jsonpath={.status.state}']);
    await until('it is told', async () => (await state()) === 'Drifted', 30_000);
    expect(isWhole(await host.rules())).toBe(false);
    await configure({ drift: { policy: 'Enforce', checkPeriodSeconds: 60 } });
    expect(isWhole(await host.rules())).toBe(true);
  }, 90_000);

  test('50 rules and chains of others are byte for byte as before, whatever happens to the agent', async () => {
    const chains = Array.from({ length: 25 }, (_, index) => `OTHERS-${index}`);
    const rules = chains.map((chain, index) => `-A ${chain} -s 203.0.113.${index}/32 -m comment --comment "KUBE-SERVICES? no: of others \\"${index}\\"" -j RETURN`);
    for (const table of ['nat', 'filter']) await host.run(['iptables-restore', '--noflush'], `*${table}\n${chains.map((chain) => `:${chain} - [0:0]`).join('\n')}\n${rules.join('\n')}\nCOMMIT\n`);
    const foreign = async (): Promise<string[]> => (await host.rules()).split('\n').filter((line) => line.includes('OTHERS-'));
    const before = await foreign();
    expect(before).toHaveLength(100);
    await agent.end('SIGKILL');
    agent = host.startAgent();
    await until('it has synced', () => syncs() > 0, 30_000);
    await host.run(['iptables', '-t', 'nat', '-F', 'KUBE-PROXY-CANARY']);
    await until('it has repaired', () => syncs() > 1, 30_000);
    expect(await foreign()).toEqual(before);
  }, 60_000);

  test('an iptables-restore that hangs is ended after its time: the old rules serve, the node says so, and follows when the tool is well again', async () => {
    const hangs = path.join(host.stateDirectory, 'hangs');
    const tool = await host.run(['readlink', '-f', '/usr/sbin/iptables-nft-restore']);
    // All programs of iptables are one: it hangs when it is called to load rules while the file is there.
    const script = `#!/bin/bash\ncase "$0 $*" in *save*|*--version*) ;; *restore*) [ -e ${hangs} ] && exec sleep 3601.5 ;; esac\nexec -a "$0" ${host.stateDirectory}/iptables "$@"\n`;
    await host.run(['cp', tool, path.join(host.stateDirectory, 'iptables')]);
    await writeFile(path.join(host.stateDirectory, 'may-hang'), script, { mode: 0o755 });
    await agent.end('SIGTERM');
    agent = host.startAgent({ wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `mount --bind ${host.stateDirectory}/may-hang ${tool}; exec "$@"`, 'sh'] });
    await configure({});
    await until('it has synced', () => syncs() > 0, 30_000);
    const condition = (): Promise<string> => host.kubectl(['get', 'nodeproxy', host.name, '-o', 'jsonpath={.status.state} {.status.conditions[?(@.type=="Ready")].reason}']);
    const outcome = await underTraffic(async () => {
      const before = await host.rules();
      await writeFile(hangs, '');
      const started = performance.now();
      await host.apply(withoutIdentity(slice('web', { addresses: [...endpoints, guest] })));
      await until('it is ended', () => agent.log().includes('"reason":"ToolTimedOut"'), 90_000);
      say(`a hanging iptables-restore was ended after ${Math.round(performance.now() - started)} ms`);
      expect((await host.run(['ps', '-eo', 'args'])).match(/^sleep 3601\.5/gm) ?? []).toHaveLength(0);
      await until('the node says so', async () => (await condition()) === 'Degraded ToolTimedOut', 120_000);
      expect(await host.rules()).toBe(before);
      await rm(hangs);
      await host.untilRules('the change is followed', (rules) => rules.includes(`--to-destination ${guest}:8080`), 90_000);
      await until('the node is well', async () => (await condition()) === 'Ready Synced', 30_000);
    }, 20);
    say(`with an iptables-restore that hung: ${JSON.stringify(outcome)}`);
    expect(outcome).toMatchObject({ failed: 0 });
    await host.apply(withoutIdentity(slice('web', { addresses: endpoints })));
    await host.untilRules('and is served no more', (rules) => !rules.includes(`--to-destination ${guest}:8080`), 30_000);
    await agent.end('SIGTERM');
    agent = host.startAgent();
    await until('it has synced', () => syncs() > 0, 30_000);
  }, 300_000);

  test('SIGKILL at any moment of a sync, and a start without memory, lose no connection', async () => {
    const outcome = await underTraffic(async () => {
      for (const afterMs of moments) {
        await agent.end('SIGKILL');
        agent = host.startAgent();
        await until('it is about to write', () => agent.log().includes('configuration accepted'), 30_000);
        await sleep(afterMs);
      }
      await until('it has synced', () => syncs() > 0, 30_000);
    });
    say(`${moments.length} agents killed in mid-sync: ${JSON.stringify(outcome)}`);
    expect(outcome).toMatchObject({ failed: 0 });
    expect(isWhole(await host.rules())).toBe(true);
  }, 120_000);

  test('an API server that is away for long costs nothing, and is followed within 10 s of its return', async () => {
    const outcome = await underTraffic(async () => {
      const before = await host.rules();
      await host.server.stopServer();
      await sleep(scaled(5000, 60_000));
      expect(await host.rules()).toBe(before);
      await host.server.startServer();
      const started = performance.now();
      await host.apply(withoutIdentity(slice('web', { addresses: [...endpoints, guest] })));
      await host.untilRules('the new endpoint is served', (rules) => rules.includes(`--to-destination ${guest}:8080`), 30_000);
      say(`the API server was followed ${Math.round(performance.now() - started)} ms after its return`);
      await host.apply(withoutIdentity(slice('web', { addresses: endpoints })));
      await host.untilRules('and is served no more', (rules) => !rules.includes(`--to-destination ${guest}:8080`), 30_000);
    }, 50);
    expect(outcome).toMatchObject({ failed: 0 });
  }, 240_000);

  describe('takeover', () => {
    test('from a running kube-proxy, and back, fails no connection at 500 a second', async () => {
      await agent.end('SIGTERM');
      const { 'kube-proxy': program } = await ensureBinaries();
      const startKubeProxy = () => host.spawn([program, `--kubeconfig=${host.server.kubeconfig}`, `--hostname-override=${host.name}`, '--conntrack-max-per-core=0', '--proxy-mode=iptables']);
      const healthy = (): Promise<boolean> => host.get(10_256, '/healthz').then(({ status }) => status === 200, () => false);
      await host.run(['src/main.ts', 'cleanup']);
      let kubeProxy = startKubeProxy();
      try {
        await host.untilRules("kube-proxy's rules stand", isWhole);
        const outcome = await underTraffic(async () => {
          agent = host.startAgent();
          await until('the agent has synced', () => syncs() > 0, 30_000);
          kubeProxy.kill('SIGTERM');
          await once(kubeProxy, 'exit');
          await until('the agent has the health port', healthy, 30_000);
          await agent.end('SIGTERM');
          await host.run(['src/main.ts', 'cleanup', '--handover']);
          kubeProxy = startKubeProxy();
          await until('kube-proxy is healthy', healthy, 30_000);
          await sleep(1000);
        });
        say(`kube-proxy to agent and back: ${JSON.stringify(outcome)}`);
        expect(outcome).toMatchObject({ failed: 0 });
        // On a machine that is shared with other tests, the generator itself may fall behind.
        expect(outcome.perSecond).toBeGreaterThan(400);
      } finally {
        kubeProxy.kill('SIGKILL');
      }
    }, 120_000);
  });
});

const network = `
ip link add eth0 type veth peer name eth1
ip address add 192.168.0.1/24 dev eth0
ip link set eth0 up; ip link set eth1 up
ip route add default via 192.168.0.254
ip address add 10.1.0.1/32 dev lo; ip address add 10.1.0.2/32 dev lo; ip address add ${guest}/32 dev lo
echo 1024 65000 > /proc/sys/net/ipv4/ip_local_port_range`;

/** As a person writes it: what the API server sets is left out. */
function withoutIdentity(object: object): object {
  const { metadata, ...rest } = object as { metadata: Record<string, unknown> };
  const { uid: _uid, resourceVersion: _version, ...written } = metadata;
  return { ...rest, metadata: written };
}
