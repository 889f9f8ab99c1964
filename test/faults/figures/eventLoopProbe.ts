/**
 * For a process that is measured: tells how long its event loop was blocked, whenever that was long.
 */
const everyMs = 10;
const minBlockMs = 30;
const linePattern = /event loop blocked for (\d+) ms/g;

/** The longest block that a process has told of in this part of its log, in ms. */
export function longestBlock(log: string): number {
  return Math.max(0, ...[...log.matchAll(linePattern)].map(([, ms]) => Number(ms)));
}

export function watchEventLoop(tell: (line: string) => void): void {
  let before = performance.now();
  setInterval(() => {
    const now = performance.now();
    const blocked = Math.round(now - before - everyMs);
    before = now;
    if (blocked >= minBlockMs) tell(`event loop blocked for ${blocked} ms\n`);
  }, everyMs).unref();
}
