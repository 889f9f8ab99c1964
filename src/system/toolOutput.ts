/**
 * What is kept of a tool's output: a bounded part, whatever the tool does. Lengths are in UTF-16 code units.
 */

/** No tool of ours prints a line of more than a few KiB. */
const maxLineLength = 1024 * 1024;

/** Keeps the beginning of a text that comes in pieces. */
export class KeptText {
  readonly #maxLength: number;
  #text = '';

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  get text(): string {
    return this.#text;
  }

  push(piece: string): void {
    if (this.#text.length < this.#maxLength) this.#text += piece.slice(0, this.#maxLength - this.#text.length);
  }
}

export class LongLineError extends Error {
  constructor() {
    super(`a line of more than ${maxLineLength} characters`);
    this.name = 'LongLineError';
  }
}

export interface LineReader {
  readonly onLine: (line: string) => void;
  /** Gets a LongLineError, or what onLine threw. No line is handed over after it. */
  readonly onError: (error: unknown) => void;
}

/** Hands over whole lines, without their ends, of a text that comes in pieces. */
export class LineSplitter {
  readonly #reader: LineReader;
  #rest = '';
  #hasFailed = false;

  constructor(reader: LineReader) {
    this.#reader = reader;
  }

  push(piece: string): void {
    if (this.#hasFailed) return;
    try {
      this.#split(piece);
    } catch (error) {
      this.#hasFailed = true;
      this.#reader.onError(error);
    }
  }

  /** Hands over a last line that has no end. Throws what onLine throws. */
  end(): void {
    if (this.#rest !== '') this.#reader.onLine(this.#rest);
  }

  #split(piece: string): void {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#reader.onLine(line);
    if (this.#rest.length > maxLineLength) throw new LongLineError();
  }
}
