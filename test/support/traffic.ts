/**
 * Traffic that goes on while a test changes something: flows that stay open, and new connections at a steady rate. Runs
 * in a worker.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

export interface Route {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface TrafficPlan {
  /** A flow each. */
  readonly flows: readonly (Route & { readonly protocol: 'TCP' | 'UDP' })[];
  /** TCP; one after the other. */
  readonly connectTo: readonly Route[];
  readonly perSecond: number;
  /** How often each flow asks; default 500. */
  readonly askEveryMs?: number;
}

export interface TrafficReport extends FlowsReport, ConnectionsReport {
  /** SYNs that the kernel of this network namespace sent again: of flows, connections and whatever else runs there. */
  readonly lostSyns: number;
}

interface FlowsReport {
  readonly flows: number;
  /** Questions that flows were answered. */
  readonly exchanges: number;
  /** Route and what happened. */
  readonly broken: readonly string[];
  readonly longestSilenceMs: number;
  /** How many questions of a flow got no answer, by route; none where all did. */
  readonly unanswered: Readonly<Record<string, number>>;
}

/** As connections.py prints it. */
interface ConnectionsReport {
  readonly connections: number;
  /** How many, by route and what happened. */
  readonly failed: Readonly<Record<string, number>>;
  /** The addresses that pods saw connections come from. */
  readonly seenFrom: readonly string[];
  /** The names of those who answered, by route. */
  readonly answeredBy: Readonly<Record<string, readonly string[]>>;
  readonly slowestMs: number;
  readonly seconds: number;
}

const usualAskEveryMs = 500;
/** For the answers to the last questions. */
const lastAnswersMs = 1000;
/** A flow that is silent for so long is broken: TCP would have sent its packet again several times. */
const patienceMs = 8000;
/** Below those that connections.py takes. */
const firstFlowPort = 20_000;

function python(...args: readonly string[]): ChildProcess {
  const program = fileURLToPath(new URL('connections.py', import.meta.url));
  return spawn('/usr/bin/python3', ['-IS', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Keeps flows open at one port, and greets new connections at the next. Its programs end with this process. */
export async function serveTraffic(name: string, port: number): Promise<void> {
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => socket.write(data));
  });
  const udp = createSocket('udp6');
  udp.on('message', (_message, peer) => udp.send(name, peer.port, peer.address));
  tcp.listen(port, '::');
  udp.bind(port, '::');
  const { stdout } = python('serve', name, String(port + 1));
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening'), stdout && once(stdout, 'data')]);
}

interface Flow {
  readonly route: Route;
  readonly ask: () => void;
  readonly close: () => void;
  lastAnswer: number;
  asked: number;
  answered: number;
}

/** SYNs that this network namespace has sent again since it was made. */
function retransmittedSyns(): number {
  const [names = [], values = []] = readFileSync('/proc/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('TCPSynRetrans')]);
}

export class Traffic {
  readonly #flows: readonly Flow[];
  readonly #broken: string[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #connections: ChildProcess;
  readonly #report: Promise<string>;
  readonly #synsBefore = retransmittedSyns();
  #exchanges = 0;
  #longestSilenceMs = 0;

  constructor({ flows, connectTo, perSecond, askEveryMs = usualAskEveryMs }: TrafficPlan) {
    this.#flows = flows.map((route, index) =>
      route.protocol === 'TCP'
        ? this.#tcpFlow(route, firstFlowPort + index)
        : this.#udpFlow(route, firstFlowPort + index),
    );
    this.#timer = setInterval(() => {
      for (const flow of this.#flows) flow.ask();
    }, askEveryMs);
    this.#connections = python(
      'connect',
      String(perSecond),
      ...connectTo.flatMap(({ name, address, port }) => [name, address, String(port)]),
    );
    this.#report =
      this.#connections.stdout === null ? Promise.reject(new Error('no output')) : text(this.#connections.stdout);
  }

  async end(): Promise<TrafficReport> {
    clearInterval(this.#timer);
    for (const { route, lastAnswer } of this.#flows)
      if (performance.now() - lastAnswer > patienceMs) this.#broken.push(`${route.name}: silent`);
    const areAnswered = (): boolean => this.#flows.every(({ asked, answered }) => answered >= asked);
    await until('all questions are answered', areAnswered, lastAnswersMs).catch(() => undefined);
    for (const { close } of this.#flows) close();
    this.#connections.stdin?.end();
    const connections = JSON.parse(await this.#report) as ConnectionsReport;
    return {
      flows: this.#flows.length,
      exchanges: this.#exchanges,
      broken: this.#broken,
      longestSilenceMs: Math.round(this.#longestSilenceMs),
      unanswered: this.#unanswered(),
      lostSyns: retransmittedSyns() - this.#synsBefore,
      ...connections,
    };
  }

  #unanswered(): FlowsReport['unanswered'] {
    const lacking = this.#flows.filter(({ asked, answered }) => answered < asked);
    return Object.fromEntries(lacking.map(({ route, asked, answered }) => [route.name, asked - answered]));
  }

  #tcpFlow(route: Route, localPort: number): Flow {
    const socket = connect({ host: route.address, port: route.port, localPort, noDelay: true });
    let isOver = false;
    const close = (): void => {
      isOver = true;
      // No TIME_WAIT, from which virtual servers would have to drain for minutes.
      socket.resetAndDestroy();
    };
    const ask = (): void => {
      flow.asked += 1;
      socket.write('?');
    };
    const flow: Flow = { route, lastAnswer: performance.now(), asked: 0, answered: 0, ask, close };
    socket.on('data', (data) => this.#answered(flow, data.length));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#broken.push(`${route.name}: ${error.code ?? error.message}`),
    );
    socket.on('close', () => {
      if (!isOver) this.#broken.push(`${route.name}: closed`);
    });
    return flow;
  }

  /** Has to stay with the pod that answered first. */
  #udpFlow(route: Route, localPort: number): Flow {
    const socket = createSocket(route.address.includes(':') ? 'udp6' : 'udp4');
    let by: string | undefined;
    let isConnected = false;
    const ask = (): void => {
      if (!isConnected) return;
      flow.asked += 1;
      socket.send('?');
    };
    const close = (): void => void socket.close();
    const flow: Flow = { route, lastAnswer: performance.now(), asked: 0, answered: 0, ask, close };
    socket.bind(localPort, () => socket.connect(route.port, route.address, () => (isConnected = true)));
    socket.on('message', (message) => {
      const answerer = message.toString();
      by ??= answerer;
      if (by !== answerer) this.#broken.push(`${route.name}: went from ${by} to ${answerer}`);
      this.#answered(flow, 1);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#broken.push(`${route.name}: ${error.code ?? error.message}`),
    );
    return flow;
  }

  /** `answers`: to as many questions; TCP may bring several at once. */
  #answered(flow: Flow, answers: number): void {
    const now = performance.now();
    this.#exchanges += answers;
    flow.answered += answers;
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - flow.lastAnswer);
    flow.lastAnswer = now;
  }
}
