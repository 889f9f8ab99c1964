/**
 * The body of a list, taken apart while it comes, so that no more of it is held than one item: a page of 500 objects
 * with the 256 KiB of annotations that the API server takes of each would be 125 MB of text, and once more when parsed.
 *
 * No library: those that stream JSON make each value of tokens in JavaScript, where JSON.parse is native, and bound
 * neither an object nor a text (@streamparser/json 0.0.26: 3 times the time of this for 10,000 Services).
 */
import { JsonText } from './jsonText.ts';

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBracket, closeBracket] = [0x5b, 0x5d];
const [openBrace, closeBrace] = [0x7b, 0x7d];
/** How deep in brackets the items are: in the list's object, in its array. */
const itemDepth = 2;
/** What stands before the array of items; a key that ends with an escaped quotation mark is another. */
const itemsKey = /(?<!\\)"items"\s*:\s*\[$/;

/** Gets the value of an item, and how many bytes it takes in the list. */
export type OnItem = (item: unknown, bytes: number) => void;

/**
 * Calls `onItem` for each item in order, before it is known whether the body is a list at all. Resolves with its JSON,
 * whatever that is, in which a list has no items. Long texts are cut (longTexts.ts). Throws where it is no JSON, where
 * an item or the rest is longer than 16 MiB, where `onItem` throws, and where the stream does.
 */
export async function readListBody(body: AsyncIterable<Buffer>, onItem: OnItem): Promise<unknown> {
  const reader = new ListReader(onItem);
  for await (const chunk of body) reader.read(chunk);
  return reader.end();
}

/** Follows strings and brackets alone; what else is wrong, JSON.parse finds. */
class ListReader {
  readonly #onItem: OnItem;
  readonly #item = new JsonText();
  /** The list without its items. */
  readonly #rest = new JsonText();
  #isInItems = false;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  constructor(onItem: OnItem) {
    this.#onItem = onItem;
  }

  read(chunk: Buffer): void {
    let from = 0;
    for (let at = this.#nextMark(chunk, 0); at < chunk.length; at = this.#nextMark(chunk, at + 1)) {
      const isEnd = this.#isInItems;
      (isEnd ? this.#item : this.#rest).add(chunk.subarray(from, isEnd ? at : at + 1));
      if (isEnd) this.#endItem(byteAt(chunk, at) === closeBracket);
      else this.#isInItems = itemsKey.test(this.#rest.tail());
      from = isEnd && !this.#isInItems ? at : at + 1;
    }
    (this.#isInItems ? this.#item : this.#rest).add(chunk.subarray(from));
  }

  end(): unknown {
    return this.#rest.take().value;
  }

  /**
   * Where an array begins that may be that of the items, or within these what ends an item; the chunk's length where
   * nothing does.
   */
  #nextMark(chunk: Buffer, from: number): number {
    const isInItems = this.#isInItems;
    let [depth, isInString, isEscaped] = [this.#depth, this.#isInString, this.#isEscaped];
    let at = from;
    for (; at < chunk.length; at += 1) {
      const byte = byteAt(chunk, at);
      if (isEscaped) isEscaped = false;
      else if (byte === quote) isInString = !isInString;
      else if (isInString) isEscaped = byte === backslash;
      else {
        depth += depthChange(byte);
        if (isInItems ? endsItem(byte, depth) : byte === openBracket && depth === itemDepth) break;
      }
    }
    [this.#depth, this.#isInString, this.#isEscaped] = [depth, isInString, isEscaped];
    return at;
  }

  /** In an empty array the last one is none. */
  #endItem(isLast: boolean): void {
    this.#isInItems = !isLast;
    if (isLast && this.#item.isBlank()) return;
    const { value, bytes } = this.#item.take();
    this.#onItem(value, bytes);
  }
}

/** Of an index within the chunk; `readUInt8` takes a quarter more time for all of a list. */
function byteAt(chunk: Buffer, index: number): number {
  // oxlint-disable-next-line own/keys -- no key that somebody else chose
  return chunk[index] ?? 0;
}

function depthChange(byte: number): number {
  if (byte === openBrace || byte === openBracket) return 1;
  return byte === closeBrace || byte === closeBracket ? -1 : 0;
}

/** The depth is that after the byte. */
function endsItem(byte: number, depth: number): boolean {
  return depth === itemDepth ? byte === comma : depth < itemDepth;
}
