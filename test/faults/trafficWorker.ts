/**
 * Runs in a node's network namespace: serves on every address of it, keeps a connection open to one Service, and opens
 * new connections to others at a steady rate. Ends with its standard input, and then prints an Outcome as JSON.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { FlowReport, Outcome } from './traffic.ts';

const [, , flowAddress = '', perSecond = '', ...addresses] = process.argv;
/** Short enough to see a silence that is shorter than a retransmission. */
const requestPeriodMs = 20;

/** As connections.py prints it. */
interface Connections {
  readonly connections: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly seconds: number;
}

/** As connections.py wants it: name, address and port. `where` is of IPv4 alone. */
function route(where: string): readonly string[] {
  const [address = '', port = '80'] = where.split(':');
  return [where, address, port];
}

function python(...args: readonly string[]): ChildProcessWithoutNullStreams {
  const program = fileURLToPath(new URL('../support/connections.py', import.meta.url));
  return spawn('/usr/bin/python3', ['-IS', program, ...args], { stdio: 'pipe' });
}

async function serve(): Promise<void> {
  const echo = net.createServer((socket) => {
    socket.on('error', () => socket.destroy()).pipe(socket);
  });
  await Promise.all([once(python('serve', 'web', '8080').stdout, 'data'), once(echo.listen(8081), 'listening')]);
}

class Flow {
  readonly #socket = net.connect({ host: flowAddress, port: 80, noDelay: true });
  #lastAnswer = performance.now();
  #exchanges = 0;
  #maxSilenceMs = 0;
  #broken: string | undefined;

  constructor() {
    const timer = setInterval(() => this.#socket.write('?'), requestPeriodMs);
    this.#socket.on('data', () => this.#answered());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => (this.#broken = error.code ?? error.message));
    this.#socket.on('close', () => {
      clearInterval(timer);
      this.#broken ??= 'closed';
    });
  }

  async isOpen(): Promise<void> {
    await once(this.#socket, 'data');
  }

  report(): FlowReport {
    const silentMs = Math.max(this.#maxSilenceMs, performance.now() - this.#lastAnswer);
    return {
      exchanges: this.#exchanges,
      maxSilenceMs: Math.round(silentMs),
      ...(this.#broken !== undefined && { broken: this.#broken }),
    };
  }

  #answered(): void {
    const now = performance.now();
    if (this.#exchanges > 0) this.#maxSilenceMs = Math.max(this.#maxSilenceMs, now - this.#lastAnswer);
    this.#exchanges += 1;
    this.#lastAnswer = now;
  }
}

await serve();
const flow = new Flow();
await flow.isOpen();
const clients = python('connect', perSecond, ...addresses.flatMap(route));
const report = text(clients.stdout);
process.stdout.write('ready\n');
await once(process.stdin.resume(), 'end');
const flowReport = flow.report();
clients.stdin.end();
const { connections, failed, slowestMs, seconds } = JSON.parse(await report) as Connections;
const count = (reasons: Connections['failed']): number => Object.values(reasons).reduce((sum, each) => sum + each, 0);
/** The API server has some of the ports that connections.py takes in turn: those connections were never tried. */
const lost = Object.fromEntries(
  Object.entries(failed).filter(([reason]) => !reason.endsWith('Address already in use')),
);
const outcome: Outcome = {
  ok: connections - count(failed),
  failed: count(lost),
  reasons: lost,
  slowestMs,
  perSecond: Math.round(connections / seconds),
  flow: flowReport,
};
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
