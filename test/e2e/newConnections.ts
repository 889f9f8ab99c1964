/**
 * @module A program: opens a new connection to a URL every few milliseconds, and answers each line of its standard input with what became
 * of them. Ends with its standard input.
 */
import http from 'node:http';
import { createInterface } from 'node:readline';

const everyMs = 10;
const patienceMs = 5000;
const counts = { answered: 0, failed: 0, slowestMs: 0, lastFailure: '' };

function connect(url: string): void {
  const started = performance.now();
  const request = http.get(url, { agent: false, timeout: patienceMs }, (response) => {
    response.resume();
    response.on('end', () => {
      counts.answered += 1;
      counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - started));
    });
  });
  request.on('timeout', () => request.destroy(new Error(`no answer within ${patienceMs} ms`)));
  request.on('error', ({ message }) => {
    counts.failed += 1;
    counts.lastFailure = message;
  });
}

const timer = setInterval(connect, everyMs, process.argv[2] ?? '');
const input = createInterface({ input: process.stdin });
input.on('line', () => process.stdout.write(`${JSON.stringify(counts)}\n`));
input.on('close', () => clearInterval(timer));
