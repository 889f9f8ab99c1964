/**
 * The body of a watch response as events.
 */
import { fieldOf } from './fieldOf.ts';
import { JsonText } from './jsonText.ts';

/** metav1.WatchEvent; the `object` of an ERROR is a Status, that of a BOOKMARK has only a resourceVersion. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

/**
 * The events of a watch response, one JSON object per line, until the body ends. A last line without its end is a cut
 * connection and is dropped. Long texts are cut (longTexts.ts). Throws where a line is no event or longer than 16 MiB,
 * and where the stream does.
 */
export async function* parseLines(response: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
  const line = new JsonText();
  for await (const chunk of response) {
    let rest = chunk;
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n')) {
      line.add(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      if (!line.isBlank()) yield eventOf(line.take().value);
    }
    line.add(rest);
  }
}

const types: readonly WatchEvent['type'][] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];

function eventOf(value: unknown): WatchEvent {
  const type = types.find((each) => each === fieldOf(value, 'type'));
  if (type === undefined) throw new Error('a line of the watch is no event');
  return { type, object: fieldOf(value, 'object') };
}
