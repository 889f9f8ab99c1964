/**
 * @module A program: opens a new connection to a URL every few milliseconds, asks again and again on one that it keeps,
 * and answers each line of its standard input with what became of them. Ends with its standard input.
 */
import http from 'node:http';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Counts } from './traffic.ts';

const everyMs = 10;
const askEveryMs = 100;
const patienceMs = 5000;
const url = process.argv[2] ?? '';
const stayingUrl = new URL('/stay', url).href;
const keeping = new http.Agent({ keepAlive: true, maxSockets: 1 });
const kept = new Set<Socket>();
const counts = { answered: 0, failed: 0, slowestHandshakeMs: 0, lastFailure: '' };

function ask(at: string, agent: http.Agent | false): http.ClientRequest {
  const request = http.get(at, { agent, timeout: patienceMs }, (response) => {
    response.resume();
    response.on('end', () => {
      counts.answered += 1;
    });
  });
  request.on('timeout', () => request.destroy(new Error(`no answer within ${patienceMs} ms`)));
  request.on('error', ({ message }) => {
    counts.failed += 1;
    counts.lastFailure = message;
  });
  return request;
}

function report(): Counts {
  return { ...counts, keptConnections: kept.size };
}

/** The handshake alone: it is made by kernels, so a server that is short of CPU does not draw it out. */
function knock(): void {
  const started = performance.now();
  ask(url, false).once('socket', (socket) => {
    socket.once('connect', () => {
      counts.slowestHandshakeMs = Math.max(counts.slowestHandshakeMs, Math.round(performance.now() - started));
    });
  });
}

const timers = [
  setInterval(knock, everyMs),
  setInterval(() => ask(stayingUrl, keeping).once('socket', (socket) => kept.add(socket)), askEveryMs),
];
const input = createInterface({ input: process.stdin });
input.on('line', () => process.stdout.write(`${JSON.stringify(report())}\n`));
input.on('close', () => {
  for (const timer of timers) clearInterval(timer);
  keeping.destroy();
});
