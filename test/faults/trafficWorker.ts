/**
 * Runs in a node's network namespace: serves on every endpoint's address, and opens new connections to a Service at a steady rate. Ends with
 * its standard input, and then says what became of them.
 */
import net from 'node:net';

const [, , service = '', port = '', perSecond = '', ...endpoints] = process.argv;
const tickMs = 10;
const patienceMs = 5000;
const counts = { ok: 0, failed: 0, reasons: {} as Record<string, number> };
let open = 0;

function count(reason?: string): void {
  open -= 1;
  if (reason === undefined) counts.ok += 1;
  else {
    counts.failed += 1;
    counts.reasons[reason] = (counts.reasons[reason] ?? 0) + 1;
  }
}

/** Good is one that brings the server's word. */
function connect(): void {
  open += 1;
  let reason: string | undefined = 'closed without an answer';
  const socket = net.connect({ host: service, port: Number(port) });
  socket.setTimeout(patienceMs, () => socket.destroy(new Error('time-out')));
  socket.on('data', () => {
    reason = undefined;
    // No TIME_WAIT: the source ports would run out.
    socket.resetAndDestroy();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message));
  socket.on('close', () => count(reason));
}

for (const address of endpoints) {
  net
    .createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('x');
    })
    .listen({ port: 8080, host: address, backlog: 4096 });
}
let due = 0;
const started = performance.now();
const timer = setInterval(() => {
  const wanted = ((performance.now() - started) / 1000) * Number(perSecond);
  for (; due < wanted; due += 1) connect();
}, tickMs);
process.stdin.resume().on('end', () => {
  clearInterval(timer);
  const seconds = (performance.now() - started) / 1000;
  const finish = setInterval(() => {
    if (open > 0) return;
    clearInterval(finish);
    process.stdout.write(`${JSON.stringify({ ...counts, perSecond: Math.round((counts.ok + counts.failed) / seconds) })}\n`, () => process.exit(0));
  }, tickMs);
});
process.stdout.write('ready\n');
