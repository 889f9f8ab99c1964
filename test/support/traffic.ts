/**
 * Traffic that goes on while a test changes something: flows that stay open, and new connections at a steady rate. Runs
 * in a worker.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

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
}

export interface TrafficReport extends FlowsReport, ConnectionsReport {}

interface FlowsReport {
  readonly flows: number;
  /** Questions that flows were answered. */
  readonly exchanges: number;
  /** Route and what happened. */
  readonly broken: readonly string[];
  readonly longestSilenceMs: number;
}

/** As connections.py prints it. */
interface ConnectionsReport {
  readonly connections: number;
  /** How many, by route and what happened. */
  readonly failed: Readonly<Record<string, number>>;
  /** The addresses that pods saw connections come from. */
  readonly seenFrom: readonly string[];
  readonly slowestMs: number;
  readonly seconds: number;
}

const askEveryMs = 500;
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
}

export class Traffic {
  readonly #flows: readonly Flow[];
  readonly #broken: string[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #connections: ChildProcess;
  readonly #report: Promise<string>;
  #exchanges = 0;
  #longestSilenceMs = 0;

  constructor({ flows, connectTo, perSecond }: TrafficPlan) {
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
    for (const { close } of this.#flows) close();
    this.#connections.stdin?.end();
    const connections = JSON.parse(await this.#report) as ConnectionsReport;
    return {
      flows: this.#flows.length,
      exchanges: this.#exchanges,
      broken: this.#broken,
      longestSilenceMs: Math.round(this.#longestSilenceMs),
      ...connections,
    };
  }

  #tcpFlow(route: Route, localPort: number): Flow {
    const socket = connect({ host: route.address, port: route.port, localPort, noDelay: true });
    let isOver = false;
    const close = (): void => {
      isOver = true;
      // No TIME_WAIT, from which virtual servers would have to drain for minutes.
      socket.resetAndDestroy();
    };
    const flow: Flow = { route, lastAnswer: performance.now(), ask: () => socket.write('?'), close };
    socket.on('data', () => this.#answered(flow));
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
      if (isConnected) socket.send('?');
    };
    const flow: Flow = { route, lastAnswer: performance.now(), ask, close: () => socket.close() };
    socket.bind(localPort, () => socket.connect(route.port, route.address, () => (isConnected = true)));
    socket.on('message', (message) => {
      const answerer = message.toString();
      by ??= answerer;
      if (by !== answerer) this.#broken.push(`${route.name}: went from ${by} to ${answerer}`);
      this.#answered(flow);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#broken.push(`${route.name}: ${error.code ?? error.message}`),
    );
    return flow;
  }

  #answered(flow: Flow): void {
    const now = performance.now();
    this.#exchanges += 1;
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - flow.lastAnswer);
    flow.lastAnswer = now;
  }
}
