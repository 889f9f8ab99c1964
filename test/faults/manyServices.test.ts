/**
 * A node with a tree of dispatch chains, whose full sync takes many COMMITs: agents that are killed while they
 * write, and the way from kube-proxy and back. Each connection goes to another Service.
 */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ensureBinaries } from '../cluster/binaries.ts';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { scaled } from '../support/scale.ts';
import { servedAddresses } from './dispatch.ts';
import { FaultNode, extraServices, web } from './faultNode.ts';
import { expectUnharmed } from './unharmed.ts';

const others = extraServices(300);
const names = ['web', ...others.map(({ name }) => name)];
const addresses = [web, ...others.map(({ address }) => address)];
/** When to kill, in ms after an iptables-restore was seen that loads rules. */
const moments = Array.from({ length: scaled(4, 20) }, (_, index) => index * scaled(25, 5));
const minKilledWhileLoading = scaled(3, 10);

describeWhere(['root', 'cluster', 'iptables'], 'Agent with 300 Services', () => {
  let node: FaultNode;
  beforeAll(async () => {
    node = await FaultNode.start(others);
    await untilAllServed();
  }, 180_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  /** Services from which the rules lead to no endpoint. */
  async function unserved(): Promise<readonly string[]> {
    const served = servedAddresses(await node.host.rules());
    return addresses.filter((address) => !served.has(address));
  }

  function untilAllServed(): Promise<void> {
    return until('all Services are served', async () => (await unserved()).length === 0, 60_000);
  }

  test('loses no Service and no connection when it is killed while it writes', async () => {
    let killedWhileLoading = 0;
    const outcome = await node.underTraffic(
      async () => {
        for (const [round, afterMs] of moments.entries()) {
          await node.agent.end('SIGKILL');
          // Never those of a round before: its agent may have been killed before the first COMMIT.
          await node.applySlices(names, [`10.1.1.${2 * round + 1}`, `10.1.1.${2 * round + 2}`]);
          node.agent = node.host.startAgent();
          await until(
            'rules are being loaded',
            async () => (await restoringChild(node.agent.pid)) !== undefined,
            60_000,
            5,
          );
          await sleep(afterMs);
          const child = await restoringChild(node.agent.pid);
          // The end of a container ends both; that of the agent alone leaves the other with what it was given so far.
          if (child !== undefined && round % 2 === 0) killIfRunning(child);
          await node.agent.end('SIGKILL');
          if (child === undefined) continue;
          killedWhileLoading += 1;
          await until('the iptables-restore has ended', async () => !(await isRunning(child)), 30_000);
          expect(await unserved()).toEqual([]);
        }
        node.agent = node.host.startAgent();
        await node.untilSynced();
      },
      { connectTo: addresses },
    );
    process.stdout.write(`${killedWhileLoading} of ${moments.length} agents were killed while iptables-restore ran\n`);
    expect(killedWhileLoading).toBeGreaterThanOrEqual(minKilledWhileLoading);
    expect(await unserved()).toEqual([]);
    expectUnharmed(outcome);
  }, 400_000);

  test('takes over from a running kube-proxy and hands over to it without a failed connection at 500 a second, and kube-proxy can delete what it took over', async () => {
    await node.agent.end('SIGTERM');
    const { 'kube-proxy': program } = await ensureBinaries({ which: ['kube-proxy'] });
    const command = [
      program,
      `--kubeconfig=${node.host.server.kubeconfig}`,
      `--hostname-override=${node.host.name}`,
      '--conntrack-max-per-core=0',
      '--proxy-mode=iptables',
    ];
    const isHealthy = (): Promise<boolean> =>
      node.host.get(10_256, '/healthz').then(
        ({ status }) => status === 200,
        () => false,
      );
    await node.host.run(['src/main.ts', 'cleanup']);
    let kubeProxy = node.host.spawn(command);
    const staying = addresses.slice(0, -1);
    const [gone = '', nameGone = ''] = [addresses.at(-1), names.at(-1)];
    try {
      await untilAllServed();
      const outcome = await node.underTraffic(
        async () => {
          node.agent = node.host.startAgent();
          await node.untilSynced();
          kubeProxy.kill('SIGTERM');
          await once(kubeProxy, 'exit');
          await until('the agent has the health port', isHealthy, 30_000);
          await node.agent.end('SIGTERM');
          const before = await node.host.rules();
          expect(before).toContain(':KUBE-SB-');
          await leaveTrialChain(before, gone);
          await node.host.run(['src/main.ts', 'cleanup', '--handover']);
          kubeProxy = node.host.spawn(command);
          await until('kube-proxy is healthy', isHealthy, 30_000);
          await node.host.kubectl(['delete', 'service', nameGone]);
          await until(
            'the chains of the Service are gone',
            async () => !(await node.host.rules()).includes(`default/${nameGone}:`),
            30_000,
          );
          expect(await unserved()).toEqual([gone]);
        },
        { connectTo: staying, perSecond: 600 },
      );
      const { body } = await node.host.get(10_249, '/metrics');
      expect(sumOf(body, 'kubeproxy_sync_proxy_rules_duration_seconds_count')).toBeGreaterThan(0);
      expect(sumOf(body, 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total')).toBe(0);
      expect(sumOf(body, 'kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total')).toBe(0);
      expectUnharmed(outcome);
      expect(outcome.perSecond).toBeGreaterThanOrEqual(500);
    } finally {
      kubeProxy.kill('SIGKILL');
    }
  }, 240_000);

  /** Leaves the chain of an agent that was killed while it searched for a Service that the kernel refuses. */
  async function leaveTrialChain(rules: string, address: string): Promise<void> {
    const chain = new RegExp(`^-A KUBE-SB-\\S+ -d ${address}/32 .* -j (KUBE-SVC-\\S+)$`, 'm').exec(rules)?.[1];
    await node.host.run(
      ['iptables-restore', '--noflush'],
      `*nat\n:KUBE-PROXY-TRIAL - [0:0]\n-A KUBE-PROXY-TRIAL -d ${address}/32 -j ${chain}\nCOMMIT\n`,
    );
  }
});

/** The child process that loads rules; not one with --test or --version. */
async function restoringChild(parent: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ').filter((each) => each !== '')) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('iptables') && command.includes('-restore') && !/--(?:test|version)/.test(command))
      return Number(child);
  }
  return undefined;
}

async function isRunning(pid: number): Promise<boolean> {
  return (await readdir('/proc')).includes(String(pid));
}

function killIfRunning(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Over all IP families. kube-proxy shows a counter when it has counted something. */
function sumOf(metrics: string, name: string): number {
  const values = [...metrics.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  return values.reduce((sum, each) => sum + each, 0);
}
