/** Changes of a neighbor beside a Service of 1,000 ports with 100 endpoints each, and while that is put up. */
import { once } from 'node:events';
import path from 'node:path';
import { ensureBinaries } from '../../cluster/binaries.ts';
import { extraServices, FaultNode } from '../faultNode.ts';
import { bigEndpointNetwork, type BigServiceSize } from '../../support/bigService.ts';
import type { BigServiceTimes } from './bigServiceProbe.ts';
import { median } from '../../bench/statistics.ts';
import { longestBlock } from './eventLoopProbe.ts';
import type { Figures, Load } from './figures.ts';

const size: BigServiceSize = { ports: 1000, endpoints: 100 };
const others = 1000;
const changes = 20;
const proxyPort = 8001;

export const bigService: Load = {
  name: 'big-service',
  description: `changes beside ${others} Services, and one of ${size.ports} ports with ${size.endpoints} endpoints each`,
  measure,
};

async function measure(isLoaded: boolean, tell: (line: string) => void): Promise<Figures> {
  const node = await FaultNode.start(extraServices(others));
  try {
    tell(`${others} Services are served; changing a neighbor`);
    await node.host.run(['ip', 'route', 'add', 'local', bigEndpointNetwork, 'dev', 'lo']);
    await node.restart('SIGTERM', { wrapper: ['env', `NODE_OPTIONS=--import=${fileBeside('watchEventLoop.ts')}`] });
    await node.untilSynced();
    const logBefore = node.agent.log().length;
    const times = await probe(node, isLoaded ? size : { ports: 0, endpoints: 0 });
    tell('measuring the bare tool');
    const bare = { 'p50 of bare iptables-restore of a chain': inMs(await bareToolMs(node)) };
    return {
      ...figuresOf(times),
      ...bare,
      'longest block of the event loop': inMs(longestBlock(node.agent.log().slice(logBefore))),
    };
  } finally {
    await node.stop();
  }
}

export async function probe({ host }: FaultNode, { ports, endpoints }: BigServiceSize): Promise<BigServiceTimes> {
  const { kubectl } = await ensureBinaries({ which: ['kubectl'] });
  const proxy = host.spawn([kubectl, '--kubeconfig', host.server.kubeconfig, 'proxy', `--port=${proxyPort}`]);
  try {
    await once(proxy.stdout, 'data');
    const command = [process.execPath, fileBeside('bigServiceProbe.ts'), `http://127.0.0.1:${proxyPort}`];
    return JSON.parse(
      await host.run([...command, String(changes), String(ports), String(endpoints)]),
    ) as BigServiceTimes;
  } finally {
    proxy.kill();
  }
}

/** What the tool itself takes for a chain of two rules, written as it stands: the median of some, in ms. */
async function bareToolMs({ host }: FaultNode): Promise<number> {
  const rules = await host.rules();
  const [, chain = ''] = /^-A (KUBE-SEP-\S+) /m.exec(rules) ?? [];
  const lines = rules.split('\n').filter((line) => line.startsWith(`-A ${chain} `));
  const input = `*nat\n:${chain} - [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
  const times: number[] = [];
  for (let index = 0; index < changes; index += 1) {
    const started = performance.now();
    await host.run(['iptables-restore', '--noflush'], input);
    times.push(performance.now() - started);
  }
  return median(times);
}

function figuresOf({ quiet, busy, allPortsAnswerMs, livezAnswers, livezFailures }: BigServiceTimes): Figures {
  const whileWritten = {
    'longest wait while it is written': inMs(Math.max(0, ...busy)),
    'changes while it is written': String(busy.length),
    'all of its ports answer after': inMs(allPortsAnswerMs),
    '/livez that failed meanwhile': `${livezFailures} of ${livezAnswers}`,
  };
  return {
    [`p50 of ${changes} changes of a neighbor`]: inMs(median(quiet)),
    ...(busy.length === 0 ? {} : whileWritten),
  };
}

function inMs(ms: number): string {
  return `${Math.round(ms)} ms`;
}

function fileBeside(name: string): string {
  return path.join(import.meta.dirname, name);
}
