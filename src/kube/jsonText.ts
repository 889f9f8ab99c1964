/** JSON from the API server, whose bytes come in pieces cut anywhere. */
import { cutLongTexts } from './longTexts.ts';
import { maxObjectLength } from './maxObjectLength.ts';

/** One value after the other. The pieces are copied into one buffer, which is used again and again. */
export class JsonText {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #bytes = 0;

  /** Throws where it gets too long. */
  add(piece: Buffer): void {
    const bytes = this.#bytes + piece.length;
    if (bytes > maxObjectLength) throw new Error(`the answer has an object longer than ${maxObjectLength} bytes`);
    if (bytes > this.#buffer.length) this.#grow(bytes);
    piece.copy(this.#buffer, this.#bytes);
    this.#bytes = bytes;
  }

  /** Its value, in which long texts are cut, and its length; and begins anew. */
  take(): { readonly value: unknown; readonly bytes: number } {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return { value: JSON.parse(cutLongTexts(this.#buffer.subarray(0, bytes)).toString('utf8')), bytes };
  }

  isBlank(): boolean {
    return this.#text().trim() === '';
  }

  /** Its last characters. */
  tail(): string {
    return this.#text(Math.max(0, this.#bytes - 100));
  }

  #grow(minBytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(minBytes, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#bytes);
    this.#buffer = larger;
  }

  #text(from = 0): string {
    return this.#buffer.toString('utf8', from, this.#bytes);
  }
}
