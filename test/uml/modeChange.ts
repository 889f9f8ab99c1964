/**
 * Runs inside the kernel under test: changes the mode of a node while traffic goes through its Services.
 *   node modeChange.ts nft|legacy
 * The argument is which iptables the node uses; both are there.
 */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { ProxyMode } from '../../src/api/nodeConfig.ts';
import type { Refusal } from '../../src/backend/backend.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { RunCommand } from '../../src/system/command.ts';
import { runCommand } from '../../src/system/command.ts';
import type { HostName } from '../support/network.ts';
import { createNetwork, podPort } from '../support/network.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import type { TrafficReport } from '../support/traffic.ts';
import { flowPort, openFlows, routes } from '../support/trafficServices.ts';
import { Agent, maxWaitMs } from './changingNode.ts';
import { until } from '../support/until.ts';
import { leaveKubeletMark } from './kubeletMark.ts';
import type { Check, CheckReport } from './modeChangeReport.ts';
import type { Snapshot } from './nodeSnapshot.ts';
import { differences, takeSnapshot } from './nodeSnapshot.ts';

const minPerSecond = 100;
/** How long flows may take to notice that they were cut. */
const settleMs = 9000;

function problemsOf(
  from: HostName,
  { flows, exchanges, broken, failed, connections, seconds, seenFrom }: TrafficReport,
): readonly string[] {
  const failures = Object.entries(failed).map(([what, number]) => `${number} connections to ${what}`);
  const unanswerable = seenFrom.filter(
    (address) =>
      address.startsWith('10.96.') ||
      address.startsWith('fd00:10:96:') ||
      address.startsWith('203.0.113.') ||
      address.startsWith('2001:db8:2:'),
  );
  return [
    ...broken,
    ...failures,
    ...unanswerable.map((address) => `a pod saw ${address}, which it cannot answer`),
    ...(exchanges < flows * seconds ? [`flows were answered only ${exchanges} times in ${Math.round(seconds)} s`] : []),
    ...(connections === 0 ? ['no connection was tried'] : []),
  ].map((problem) => `from ${from}: ${problem}`);
}

/**
 * Problems of flows whose virtual servers were removed: UDP must be served, perhaps by another pod; TCP must be reset
 * or refused.
 */
function problemsOfCut({ broken }: TrafficReport): readonly string[] {
  const wasEnded = (flow: string): boolean =>
    broken.includes(`${flow}: ECONNRESET`) || broken.includes(`${flow}: ECONNREFUSED`);
  return broken.filter((what) => {
    const flow = what.slice(0, what.indexOf(':'));
    return flow.startsWith('UDP') ? !what.includes(': went from ') : !wasEnded(flow);
  });
}

const network = await createNetwork({ isHere: true });
let commands = 0;
const run: RunCommand = (command) => {
  commands += 1;
  return runCommand(command);
};
const snapshot = (): ReturnType<typeof takeSnapshot> => takeSnapshot(runCommand);

async function check(
  name: Check,
  findProblems: (note: (text: string) => void) => Promise<readonly string[]>,
  agents: readonly Agent[] = [],
): Promise<void> {
  let note: string | undefined;
  const started = performance.now();
  const before = commands;
  const problems = await findProblems((text) => (note = text)).catch((error: unknown) => [inspect(error)]);
  const logs = problems.length === 0 ? [] : agents.flatMap(({ log }) => log.slice(-8));
  const report: CheckReport = {
    check: name,
    problems: [...problems, ...logs],
    note: `${note ?? ''} (${((performance.now() - started) / 1000).toFixed(1)} s, ${commands - before} commands)`,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

async function timed(action: () => Promise<unknown>): Promise<string> {
  const started = performance.now();
  await action();
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

await Promise.all((['podA', 'podC', 'remotePod'] as const).map((pod) => network.serveTraffic(pod, flowPort)));
await leaveKubeletMark(runCommand, process.argv[2]);
const empty = await snapshot();

let agent = new Agent(run);
await agent.changeMode('ipvs');
const freshIpvs = await snapshot();
await agent.dataplane.stop(1000);
await check('a node that never served ends clean', async () => {
  for (const mode of ['iptables', 'ipvs'] as const)
    for (const family of ipFamilies) await createBackend(mode, family, { run: runCommand }).cleanup();
  return differences(await snapshot(), empty);
});

agent = new Agent(run);
await agent.changeMode('iptables');
const freshIptables = await snapshot();
const perSecond = { client: 65, node: 40, podB: 10 };
const startTraffic = (from: keyof typeof perSecond): Promise<void> =>
  network.startTraffic(from, { flows: openFlows, connectTo: routes('connection', 1), perSecond: perSecond[from] });
await startTraffic('client');
await startTraffic('node');
await sleep(500);

await check(
  'iptables to ipvs: nothing is left of iptables mode',
  async (note) => {
    note(`changed in ${await timed(() => agent.changeMode('ipvs'))}`);
    await agent.untilOthersRemoved();
    return differences(await snapshot(), freshIpvs);
  },
  [agent],
);
await startTraffic('podB');
await sleep(1000);

const virtualServers = (): Promise<string> =>
  runCommand({ file: '/usr/sbin/ipvsadm', args: ['-Ln'], timeoutMs: 120_000 });

await check(
  'ipvs to iptables: connections drain with weight 0, beside an agent that is killed and starts again',
  async (note) => {
    note(`changed in ${await timed(() => agent.changeMode('iptables'))}`);
    await until('weight 0', async () => !/Masq +1 /.test(await virtualServers()), maxWaitMs);
    const draining = (await virtualServers()).split('\n').filter((line) => /Masq +0 +[1-9]/.test(line)).length;
    const answers = await Promise.all(
      ipFamilies.map(async (family) =>
        network.ask('client', { protocol: 'TCP', address: clusterIP(200)[family], port: podPort, timeoutMs: 1500 }),
      ),
    );
    const deserted = await network.ask('client', {
      protocol: 'TCP',
      address: clusterIP(202).ipv4,
      port: 80,
      timeoutMs: 4000,
    });
    agent.cutAfter(4);
    await agent.wasCut.promise;
    agent = new Agent(run);
    await agent.start('iptables', 'iptables');
    await sleep(1000);
    return [
      ...(draining === 0 ? ['no real server drains'] : []),
      ...answers.flatMap((answer) =>
        answer === 'REFUSED' || answer === 'DROPPED'
          ? []
          : [`a port of the node answers through an address: ${inspect(answer)}`],
      ),
      ...(deserted === 'REFUSED' ? [] : [`a Service without endpoints is ${inspect(deserted)}`]),
    ];
  },
  [agent],
);

await check('no connection failed and none broke, from iptables to ipvs and back', async (note) => {
  const ended = await Promise.all(
    (Object.keys(perSecond) as (keyof typeof perSecond)[]).map(async (from) => ({
      from,
      report: await network.endTraffic(from),
    })),
  );
  const sum = (count: (report: TrafficReport) => number): number =>
    ended.reduce((total, { report }) => total + count(report), 0);
  const rate = ended.reduce((total, { report: { connections, seconds } }) => total + connections / seconds, 0);
  note(
    `${sum(({ connections }) => connections)} connections, ${Math.round(rate)}/s, slowest ${Math.max(...ended.map(({ report }) => report.slowestMs))} ms; ` +
      `${sum(({ flows }) => flows)} flows with ${sum(({ exchanges }) => exchanges)} answers, longest silence ${Math.max(...ended.map(({ report }) => report.longestSilenceMs))} ms`,
  );
  return [
    ...ended.flatMap(({ from, report }) => problemsOf(from, report)),
    ...(rate < minPerSecond ? [`fewer than ${minPerSecond} connections a second`] : []),
  ];
});

await check(
  'ipvs to iptables: nothing is left of ipvs mode',
  async (note) => {
    note(`drained in ${await timed(() => agent.untilOthersRemoved())}`);
    return differences(await snapshot(), freshIptables);
  },
  [agent],
);

/** Problems of a change of mode that must be rolled back, under traffic. */
async function rolledBackProblems(
  change: () => Promise<Refusal | undefined>,
  before: Snapshot,
  note: (text: string) => void,
): Promise<readonly string[]> {
  await startTraffic('client');
  const refusal = await change();
  agent.isFaked = () => false;
  const report = await network.endTraffic('client');
  note(`${refusal?.message}; slowest connection ${report.slowestMs} ms`);
  await agent.untilOthersRemoved();
  return [
    ...problemsOf('client', report),
    ...(refusal?.reason === 'ModeSwitchFailed' ? [] : [`refusal: ${inspect(refusal)}`]),
    ...differences(await snapshot(), before),
  ];
}

await check(
  'a change to ipvs whose check fails is rolled back, and serves all the while',
  (note) => {
    agent.isFaked = (file, input) => file.endsWith('ipvsadm') && input !== '';
    return rolledBackProblems(() => agent.assign('ipvs'), freshIptables, note);
  },
  [agent],
);

await check(
  'a change to ipvs whose probe fails is rolled back, and serves all the while',
  (note) =>
    rolledBackProblems(
      async () => (await agent.assign('ipvs', { isProbed: false })) ?? agent.failProbe(),
      freshIptables,
      note,
    ),
  [agent],
);

/** Starts the next agent, with the configuration that the one before had saved. */
async function startNext(saved: ProxyMode, desired: ProxyMode): Promise<Agent> {
  const next = new Agent(run);
  await next.start(saved, desired);
  await next.untilOthersRemoved();
  return next;
}

await check(
  'an agent that is cut off in a change ends it when it starts again',
  async () => {
    agent.cutAfter(48);
    void agent.assign('ipvs').catch(() => undefined);
    await agent.wasCut.promise;
    agent = await startNext('iptables', 'ipvs');
    return differences(await snapshot(), freshIpvs);
  },
  [agent],
);

await check(
  'a change to iptables whose check fails is rolled back, and serves all the while',
  (note) => {
    agent.isFaked = (_file, input) => input.includes('KUBE-SVC-');
    return rolledBackProblems(() => agent.assign('iptables'), freshIpvs, note);
  },
  [agent],
);

await check(
  'flows that outlast the drain are cut: UDP is served anew, TCP is reset or refused',
  async (note) => {
    await startTraffic('client');
    await until(
      'flows are open',
      async () => (await virtualServers()).split('\n').filter((line) => /Masq +1 +[1-9]/.test(line)).length > 0,
      maxWaitMs,
    );
    // Kernels before 5.9 forget no connection of a virtual server that goes.
    await writeFile('/proc/sys/net/ipv4/vs/expire_nodest_conn', '0');
    await agent.changeMode('iptables', { drainTimeoutSeconds: 1 });
    await agent.untilOthersRemoved();
    await sleep(settleMs);
    const report = await network.endTraffic('client');
    const resets = report.broken.filter((what) => what.includes('ECONNRE')).length;
    note(
      `${resets} of ${report.flows / 2} TCP flows were reset; longest silence of any flow ${report.longestSilenceMs} ms`,
    );
    return [...problemsOfCut(report), ...differences(await snapshot(), freshIptables)];
  },
  [agent],
);

await network.close();
process.exit(0);
