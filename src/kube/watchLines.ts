/**
 * The body of a watch response as events.
 */
import type { Readable } from 'node:stream';
import { fieldOf } from './fieldOf.ts';

/** metav1.WatchEvent; the `object` of an ERROR is a Status, that of a BOOKMARK has only a resourceVersion. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

/** In characters. etcd takes objects of at most 1.5 MB (--max-request-bytes), so an API server sends nothing longer. */
const maxLineLength = 16 * 1024 * 1024;

/**
 * The events of a watch response, one JSON object per line, until the body ends. A last line without its end is a cut
 * connection and is dropped. Throws where a line is no event or longer than 16 Mi characters, and where the stream
 * does.
 */
export async function* parseLines(response: Readable): AsyncGenerator<WatchEvent> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) throw new Error(`a watch event is longer than ${maxLineLength} characters`);
    for (const line of lines) {
      if (line !== '') yield eventOf(JSON.parse(line));
    }
  }
}

const types: readonly WatchEvent['type'][] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];

function eventOf(value: unknown): WatchEvent {
  const type = types.find((each) => each === fieldOf(value, 'type'));
  if (type === undefined) throw new Error('a line of the watch is no event');
  return { type, object: fieldOf(value, 'object') };
}
