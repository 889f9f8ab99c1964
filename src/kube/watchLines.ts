import type { Readable } from 'node:stream';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

/** etcd takes objects of at most 1.5 MB; anything far longer is not an API server that speaks to us. */
const maxLineLength = 16 * 1024 * 1024;

/**
 * The events of a watch response: one JSON object per line. A last line without its end is a cut connection and is
 * dropped.
 */
export async function* parseLines(response: Readable): AsyncGenerator<WatchEvent> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) throw new Error(`a watch event is longer than ${maxLineLength} characters`);
    for (const line of lines) {
      if (line !== '') yield JSON.parse(line) as WatchEvent;
    }
  }
}
