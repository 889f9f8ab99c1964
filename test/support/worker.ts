/**
 * Runs inside one network namespace and is what keeps it alive: answers as a server, asks as a client. Commands come as
 * lines of JSON on standard input; when that ends, so does the worker, and the namespace with it, however the test
 * ended.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Answer, Question } from './network.ts';
import { Requests } from './requests.ts';
import { serveTraffic, Traffic, type TrafficPlan } from './traffic.ts';

/** Ends with this process, which holds its standard input. */
let sctp: Requests | undefined;
function sctpRequests(): Requests {
  const program = new URL('sctp.py', import.meta.url).pathname;
  sctp ??= new Requests(spawn('/usr/bin/python3', ['-IS', program], { stdio: ['pipe', 'pipe', 'inherit'] }));
  return sctp;
}

function plainAddress(address: string): string {
  return address.replace('::ffff:', '');
}

/** Answers as `name`, or without one as the address that was asked. */
/** UDP answers from the address that was asked only where it listens at just that one. */
function listen(name: string, port: number, address = '::'): Promise<void> {
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(
      JSON.stringify({
        by: name || plainAddress(socket.localAddress ?? ''),
        seenFrom: plainAddress(socket.remoteAddress ?? ''),
      }),
    );
  });
  const udp = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
  udp.on('message', (_message, peer) =>
    udp.send(JSON.stringify({ by: name, seenFrom: plainAddress(peer.address) }), peer.port, peer.address),
  );
  return new Promise((resolve) => {
    tcp.listen(port, address, () => udp.bind(port, address, resolve));
  });
}

function outcome(error: NodeJS.ErrnoException): Answer {
  // Of a packet that a rule drops on its way out, UDP tells who sent it.
  if (error.code === 'EPERM') return 'DROPPED';
  return error.code === 'ECONNREFUSED' ? 'REFUSED' : { error: error.code ?? error.message };
}

function askTcp({ address, port, timeoutMs, sourcePort }: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({
      host: address,
      port,
      timeout: timeoutMs,
      ...(sourcePort !== undefined && { localPort: sourcePort }),
    });
    let text = '';
    const end = (answer: Answer): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('utf8').on('data', (data: string) => (text += data));
    socket.on('end', () => end(JSON.parse(text) as Answer));
    socket.on('timeout', () => end('DROPPED'));
    socket.on('error', (error) => end(outcome(error)));
  });
}

function askUdp({ address, port, timeoutMs, sourcePort = 0 }: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end('DROPPED'), timeoutMs);
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    socket.on('message', (message) => end(JSON.parse(message.toString()) as Answer));
    socket.on('error', (error) => end(outcome(error)));
    socket.bind(sourcePort, () => socket.connect(port, address, () => socket.send('?')));
  });
}

/**
 * As many connections as asked for, some at a time, and how many each answerer got; whatever went wrong counts as one
 * of them.
 */
async function count({
  question,
  connections,
}: {
  question: Question;
  connections: number;
}): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  let left = connections;
  const connectOn = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const answer = await askTcp(question);
      const by = typeof answer === 'object' && 'by' in answer ? answer.by : JSON.stringify(answer);
      counts[by] = (counts[by] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: connectionsAtATime }, connectOn));
  return counts;
}

const connectionsAtATime = 16;

type Request = { id: number } & (
  | { op: 'listen'; name: string; port: number; sctp: boolean; address?: string }
  | { op: 'ask'; question: Question }
  | { op: 'count'; question: Question; connections: number }
  | { op: 'serveTraffic'; name: string; port: number }
  | { op: 'startTraffic'; plan: TrafficPlan }
  | { op: 'endTraffic' }
);

let traffic: Traffic | undefined;

const handlers: { readonly [Op in Request['op']]: (request: Extract<Request, { op: Op }>) => unknown } = {
  listen: ({ name, port, sctp: withSctp, address }) =>
    Promise.all([listen(name, port, address), withSctp && sctpRequests().send('listen', { name, port })]),
  ask: ({ question }) => ask(question),
  count: (request) => count(request),
  serveTraffic: ({ name, port }) => serveTraffic(name, port),
  startTraffic: ({ plan }) => {
    traffic = new Traffic(plan);
  },
  endTraffic: () => traffic?.end(),
};

async function handle(request: Request): Promise<unknown> {
  return (handlers[request.op] as (each: Request) => unknown)(request);
}

function ask(question: Question): Promise<unknown> {
  const ways = { TCP: askTcp, UDP: askUdp, SCTP: () => sctpRequests().send('ask', { question }) };
  return ways[question.protocol](question);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const request = JSON.parse(line) as Request;
    void handle(request).then((result) => process.stdout.write(`${JSON.stringify({ id: request.id, result })}\n`));
  })
  .on('close', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ id: 0 })}\n`);
