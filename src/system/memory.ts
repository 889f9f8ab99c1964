/**
 * Giving memory back: V8 keeps the room that a burst of work took, because it expects the next one soon. A node agent's
 * bursts are an hour apart.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;

let collect: Collect | undefined;

/** Collects all garbage and returns what is free to the system: some ten milliseconds for each 10 MB that stay. */
export function releaseMemory(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
  }
  collect({ type: 'major', flavor: 'last-resort' });
}
