/**
 * Runs inside the kernel under test: an agent's part from the configuration to the kernel, without an API server, changes the mode of a node
 * while traffic goes through its Services.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Dataplane } from '../../src/agent/dataplane.ts';
import type { DesiredConfig } from '../../src/agent/desiredConfig.ts';
import { Governor } from '../../src/agent/governor.ts';
import { Store } from '../../src/agent/store.ts';
import type { NodeConfig, ProxyMode } from '../../src/api/nodeConfig.ts';
import type { Refusal } from '../../src/backend/backend.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Command, RunCommand } from '../../src/system/command.ts';
import { runCommand } from '../../src/system/command.ts';
import type { HostName } from '../scenarios/network.ts';
import { addresses, createNetwork, podPort } from '../scenarios/network.ts';
import type { ServiceManifest } from '../scenarios/objects.ts';
import { clusterIP, defaultConfig, loadBalancerIP, node, serviceObject, sliceObjects } from '../scenarios/objects.ts';
import type { Route, TrafficReport } from '../scenarios/traffic.ts';
import type { Check, CheckReport } from './modeChangeReport.ts';
import { differences, takeSnapshot } from './nodeSnapshot.ts';

const flowPort = 8090;
/** Of the node's: the first is for flows, the second for new connections, as the Services' ports 80 and 81 are. */
const nodePorts = [30_200, 30_201] as const;

const ports: ServiceManifest['ports'] = [
  { name: 'flows', port: 80, targetPort: flowPort, protocol: 'TCP' },
  { name: 'datagrams', port: 80, targetPort: flowPort, protocol: 'UDP' },
  { name: 'connections', port: 81, targetPort: flowPort + 1, protocol: 'TCP' },
];
const publishedPorts: ServiceManifest['ports'] = ports.map((port) => Object.assign({ nodePort: port['port'] === 80 ? nodePorts[0] : nodePorts[1] }, port));
const everybody = ['192.0.2.0/24', '10.244.0.0/16', '2001:db8:1::/48', 'fd00:10:244::/48'];

const services: readonly ServiceManifest[] = [
  { name: 'web', clusterIP: clusterIP(200), ports: publishedPorts, pods: ['podA', 'remotePod'], loadBalancerIP: loadBalancerIP(200), spec: { type: 'LoadBalancer', loadBalancerSourceRanges: everybody } },
  { name: 'sticky', clusterIP: clusterIP(201), ports, pods: ['podA', 'podC'], spec: { sessionAffinity: 'ClientIP' } },
  { name: 'deserted', clusterIP: clusterIP(202), ports, pods: [] },
  ...Array.from({ length: 3 }, (_each, index): ServiceManifest => ({ name: `other-${index}`, clusterIP: clusterIP(210 + index), ports, pods: ['podC'] })),
];

/** `index`: of the ports above. */
function routes(what: string, index: 0 | 1): readonly Route[] {
  return ipFamilies.flatMap((family) => [
    { name: `${what} ${family} ClusterIP`, address: clusterIP(200)[family], port: 80 + index },
    { name: `${what} ${family} sticky ClusterIP`, address: clusterIP(201)[family], port: 80 + index },
    { name: `${what} ${family} NodePort`, address: addresses.node[family], port: nodePorts[index] },
    { name: `${what} ${family} balancer IP`, address: loadBalancerIP(200)[family], port: 80 + index },
  ]);
}

const openFlows = (['TCP', 'UDP'] as const).flatMap((protocol) => routes(protocol, 0).map((route) => Object.assign({ protocol }, route)));

/** Nothing tells pods from others, so that a connection of the node's own is masqueraded only where it must be. */
function configOf(mode: ProxyMode): NodeConfig {
  const { localTraffic: _none, ...rest } = defaultConfig;
  return { ...rest, mode, ...(mode === 'ipvs' && { ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: [], udpTimeoutSeconds: 3 } }) };
}

let revisions = 0;

function desire(mode: ProxyMode, source: DesiredConfig['source']): DesiredConfig {
  revisions += 1;
  return { source, revision: `r${revisions}`, config: configOf(mode) };
}

/** An agent from its configuration to the kernel. Cut off, it runs no program any more, and nobody hears of it. */
class Agent {
  readonly dataplane: Dataplane;
  readonly log: string[] = [];
  #commandsLeft = Infinity;
  readonly wasCut = Promise.withResolvers<void>();
  /** Answers for a program, without running it. */
  pretend: (command: Command) => string | undefined = () => undefined;

  constructor() {
    const store = new Store();
    store.setNode(node);
    for (const service of services) {
      store.setService(`default/${service.name}`, decodeService(serviceObject(service)));
      for (const slice of sliceObjects(service)) store.setSlice((slice['metadata'] as { name: string }).name, decodeEndpointSlice(slice));
    }
    const say = this.#say;
    this.dataplane = new Dataplane({
      store,
      makeBackend: (mode, family) => (mode === 'iptables' || mode === 'ipvs' ? createBackend(mode, family, { run: (command) => this.#command(command) }) : { reason: 'ModeNotAvailable', message: mode }),
      observer: { onQueued: () => undefined, onSuccess: () => undefined, onFailure: (_loop, { error }) => say('sync failed', error), onDrift: (_loop, what) => say(`drift: ${what}`) },
      logger: { error: say, warn: say, info: say, debug: () => undefined },
      onReconsider: () => undefined,
      timing: { settleMs: 1000, lookMs: 3000 },
    });
  }

  readonly #say = (message: string, fields: object = {}): void => void this.log.push(`${message} ${inspect(fields, { breakLength: Infinity, depth: 4 })}`);

  cutAfter(commands: number): void {
    this.#commandsLeft = commands;
  }

  async #command(command: Command): Promise<string> {
    this.#commandsLeft -= 1;
    if (this.#commandsLeft < 0) {
      this.wasCut.resolve();
      return new Promise(() => undefined);
    }
    return this.pretend(command) ?? run(command);
  }

  /** Done when the mode is in force; `proven` when it also may stay. */
  async go(mode: ProxyMode, { proven = true } = {}): Promise<Refusal | undefined> {
    const desired = desire(mode, 'NodeProxy');
    const refusal = await this.dataplane.accept(desired);
    await until(`mode ${mode} in force`, () => refusal !== undefined || this.dataplane.status.inForce?.revision === desired.revision);
    if (proven && refusal === undefined) this.dataplane.judge(desired.revision, undefined);
    return refusal;
  }

  /** As an agent starts: with what was saved, and what its NodeProxy says. */
  async begin(saved: ProxyMode, wanted: ProxyMode): Promise<void> {
    const logger = { error: this.#say, warn: this.#say, info: this.#say, debug: () => undefined };
    const governor = new Governor({ dataplane: this.dataplane, saved: desire(saved, 'Saved'), logger, onAnswer: () => undefined });
    const { revision, config } = desire(wanted, 'NodeProxy');
    const spec = { configRef: { name: 'default', uid: 'u', generation: 1 }, revision, config };
    governor.setNodeProxy({ apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: 'node-1', uid: 'n', generation: 1 }, spec });
    await governor.decide();
    await until(`mode ${wanted} in force`, () => this.dataplane.status.inForce?.revision === revision);
    this.dataplane.judge(revision, undefined);
    await governor.stop();
  }

  async left(): Promise<void> {
    await until('the other mode has left', () => this.dataplane.isAlone);
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not after ${timeoutMs / 1000} s`);
    await sleep(50);
  }
}

function problemsOf(from: HostName, { flows, exchanges, broken, failed, connections, seconds, seenFrom }: TrafficReport): readonly string[] {
  const failures = Object.entries(failed).map(([what, number]) => `${number} connections to ${what}`);
  const unanswerable = seenFrom.filter((address) => address.startsWith('10.96.') || address.startsWith('fd00:10:96:') || address.startsWith('203.0.113.') || address.startsWith('2001:db8:2:'));
  return [
    ...broken,
    ...failures,
    ...unanswerable.map((address) => `a pod saw ${address}, which it cannot answer`),
    ...(exchanges < flows * seconds ? [`flows were answered only ${exchanges} times in ${Math.round(seconds)} s`] : []),
    ...(connections === 0 ? ['no connection was tried'] : []),
  ].map((problem) => `from ${from}: ${problem}`);
}

const network = await createNetwork({ isHere: true });
let commands = 0;
const run: RunCommand = (command) => {
  commands += 1;
  return runCommand(command);
};
const snapshot = (): ReturnType<typeof takeSnapshot> => takeSnapshot(runCommand);

async function check(name: Check, look: (note: (text: string) => void) => Promise<readonly string[]>, agents: readonly Agent[] = []): Promise<void> {
  let note: string | undefined;
  const started = performance.now();
  const before = commands;
  const problems = await look((text) => (note = text)).catch((error: unknown) => [inspect(error)]);
  const logs = problems.length === 0 ? [] : agents.flatMap(({ log }) => log.slice(-8));
  const report: CheckReport = { check: name, problems: [...problems, ...logs], note: `${note ?? ''} (${((performance.now() - started) / 1000).toFixed(1)} s, ${commands - before} commands)` };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

async function timed(action: () => Promise<unknown>): Promise<string> {
  const started = performance.now();
  await action();
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

await Promise.all((['podA', 'podC', 'remotePod'] as const).map((pod) => network.serveTraffic(pod, flowPort)));
const empty = await snapshot();

let agent = new Agent();
await agent.go('ipvs');
const freshIpvs = await snapshot();
await agent.dataplane.stop(1000);
await check('a node that never served ends clean', async () => {
  for (const mode of ['iptables', 'ipvs'] as const) for (const family of ipFamilies) await createBackend(mode, family, { run: runCommand }).cleanup();
  return differences(await snapshot(), empty);
});

agent = new Agent();
await agent.go('iptables');
const freshIptables = await snapshot();
const perSecond = { client: 65, node: 40, podB: 10 };
const begin = (from: keyof typeof perSecond): Promise<void> =>
  network.startTraffic(from, { flows: openFlows, connectTo: routes('connection', 1), perSecond: perSecond[from] });
await begin('client');
await begin('node');
await sleep(500);

await check(
  'iptables to ipvs: nothing is left of iptables mode',
  async (note) => {
    note(`changed in ${await timed(() => agent.go('ipvs'))}`);
    await agent.left();
    return differences(await snapshot(), freshIpvs);
  },
  [agent],
);
await begin('podB');
await sleep(1000);

const virtualServers = (): Promise<string> => runCommand({ file: '/usr/sbin/ipvsadm', args: ['-Ln'], timeoutMs: 10_000 });

await check(
  'ipvs to iptables: connections drain with weight 0, beside an agent that is killed and starts again',
  async (note) => {
    note(`changed in ${await timed(() => agent.go('iptables'))}`);
    await until('weight 0', async () => !/Masq +1 /.test(await virtualServers()));
    const draining = (await virtualServers()).split('\n').filter((line) => /Masq +0 +[1-9]/.test(line)).length;
    const answers = await Promise.all(
      ipFamilies.map(async (family) => network.ask('client', { protocol: 'TCP', address: clusterIP(200)[family], port: podPort, timeoutMs: 1500 })),
    );
    const deserted = await network.ask('client', { protocol: 'TCP', address: clusterIP(202).ipv4, port: 80, timeoutMs: 4000 });
    agent.cutAfter(4);
    await agent.wasCut.promise;
    agent = new Agent();
    await agent.begin('iptables', 'iptables');
    await sleep(1000);
    return [
      ...(draining === 0 ? ['no real server drains'] : []),
      ...answers.flatMap((answer) => (answer === 'REFUSED' || answer === 'DROPPED' ? [] : [`a port of the node answers through an address: ${inspect(answer)}`])),
      ...(deserted === 'REFUSED' ? [] : [`a Service without endpoints is ${inspect(deserted)}`]),
    ];
  },
  [agent],
);

await check('no connection failed and none broke, from iptables to ipvs and back', async (note) => {
  const ended = await Promise.all((Object.keys(perSecond) as (keyof typeof perSecond)[]).map(async (from) => ({ from, report: await network.endTraffic(from) })));
  const sum = (count: (report: TrafficReport) => number): number => ended.reduce((total, { report }) => total + count(report), 0);
  const rate = ended.reduce((total, { report: { connections, seconds } }) => total + connections / seconds, 0);
  note(
    `${sum(({ connections }) => connections)} connections, ${Math.round(rate)}/s, slowest ${Math.max(...ended.map(({ report }) => report.slowestMs))} ms; ` +
      `${sum(({ flows }) => flows)} flows with ${sum(({ exchanges }) => exchanges)} answers, longest silence ${Math.max(...ended.map(({ report }) => report.longestSilenceMs))} ms`,
  );
  return [...ended.flatMap(({ from, report }) => problemsOf(from, report)), ...(sum(({ connections }) => connections) < 1000 ? ['fewer than 1000 connections'] : [])];
});

await check(
  'ipvs to iptables: nothing is left of ipvs mode',
  async (note) => {
    note(`drained in ${await timed(() => agent.left())}`);
    return differences(await snapshot(), freshIptables);
  },
  [agent],
);

await check(
  'a change whose check fails goes back, and serves all the while',
  async (note) => {
    await begin('client');
    agent.pretend = ({ file, args }) => (file.endsWith('ipvsadm') && args.includes('-R') ? '' : undefined);
    const refusal = await agent.go('ipvs');
    agent.pretend = () => undefined;
    note(refusal?.message ?? '');
    const problems = problemsOf('client', await network.endTraffic('client'));
    await agent.left();
    return [...problems, ...(refusal?.reason === 'ModeSwitchFailed' ? [] : [`refusal: ${inspect(refusal)}`]), ...differences(await snapshot(), freshIptables)];
  },
  [agent],
);

/** What the next agent does, also about the configuration that the one before had saved. */
async function succeed(saved: ProxyMode, wanted: ProxyMode): Promise<Agent> {
  const next = new Agent();
  await next.begin(saved, wanted);
  await next.left();
  return next;
}

await check(
  'an agent that is cut off in a change ends it when it starts again',
  async () => {
    agent.cutAfter(48);
    void agent.go('ipvs').catch(() => undefined);
    await agent.wasCut.promise;
    agent = await succeed('iptables', 'ipvs');
    return differences(await snapshot(), freshIpvs);
  },
  [agent],
);

await network.close();
process.exit(0);
