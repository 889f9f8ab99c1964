/** The API server's part alone: a program that lists and watches what a proxy does, and programs nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ChangesSettings, measureChanges } from './changes.ts';
import { type Ground, moveEndpoint } from './ground.ts';
import type { Measures } from './measures.ts';
import { BenchNode, timeOf } from './node.ts';
import { endpointAddress, serviceName } from './objects.ts';

/** `cold`: until all objects are listed. `change`: until the event is there. */
export type WatcherMeasures = Pick<Measures, 'cold' | 'change'>;

const program = join(import.meta.dirname, 'watch.ts');

/** On a node of its own, once. */
export async function measureWatcher(ground: Ground, settings: ChangesSettings): Promise<WatcherMeasures> {
  const node = await BenchNode.start('nft', ground);
  const started = performance.now();
  const [file = '', ...args] = node.enter([process.execPath, program, ground.server.kubeconfig]);
  const watcher = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(watcher, 'exit');
  const lines = createInterface({ input: watcher.stdout })[Symbol.asyncIterator]();
  const until = (words: string): Promise<number> => timeOfLine(words, lines);
  try {
    const cold = (await until('listed')) - started;
    const endpoints = ground.endpoints();
    const { change } = await measureChanges(watcher.pid ?? 0, settings, async (service, address) => {
      const written = performance.now();
      await moveEndpoint(ground, service, address);
      const expected = address ?? endpointAddress(service, endpoints - 1, endpoints);
      return (await until(`${serviceName(service)}-1 ${expected}`)) - written;
    });
    return { cold, change };
  } finally {
    watcher.kill();
    await ended;
    await node.stop();
  }
}

/** When the line was printed, as `performance.now()` counts; throws when the watcher ends before. */
async function timeOfLine(words: string, lines: AsyncIterator<string, undefined>): Promise<number> {
  for (;;) {
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`the watcher ended before '${words}'`);
    if (value.startsWith(`${words} `)) return timeOf(value.slice(words.length + 1));
  }
}
