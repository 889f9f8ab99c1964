/**
 * Cuts long texts out of JSON before it is parsed. In all that is listed or watched, only an annotation may be so long
 * (256 KiB), and no annotation is read of which more than the first word matters: what is cut would be garbage at once,
 * and much of it at that.
 */
import { byteAt } from './jsonText.ts';

const quote = 0x22;
const backslash = 0x5c;
const letterU = 0x75;
const maxEscape = 5;
/** The longest text that the CRDs allow has 1024 characters, of at most 6 bytes each in JSON. */
const maxTextBytes = 16 * 1024;

/** For one stream: a text may go over any number of chunks. */
export class LongTexts {
  #isInText = false;
  /** How many bytes of an escape may follow: 5 after its backslash, as in `\u0041`. */
  #escape = 0;
  #isCutting = false;
  /** Of the present text, so far. */
  #bytes = 0;
  #cutBytes = 0;

  /** How many bytes have been cut so far. */
  get cutBytes(): number {
    return this.#cutBytes;
  }

  /** The chunk without them, which is the same memory. */
  cut(chunk: Buffer): Buffer {
    let [kept, from] = [0, 0];
    for (let at = 0; at < chunk.length; at += 1) {
      const was = this.#isCutting;
      this.#follow(byteAt(chunk, at));
      if (was === this.#isCutting) continue;
      if (this.#isCutting) kept += chunk.copy(chunk, kept, from, at);
      from = at;
    }
    if (!this.#isCutting) kept += from === kept ? chunk.length - from : chunk.copy(chunk, kept, from);
    this.#cutBytes += chunk.length - kept;
    return chunk.subarray(0, kept);
  }

  #follow(byte: number): void {
    if (!this.#isInText) {
      this.#isInText = byte === quote;
      this.#bytes = 0;
      return;
    }
    this.#bytes += 1;
    if (this.#escape === maxEscape) this.#escape = byte === letterU ? maxEscape - 1 : 0;
    else if (this.#escape > 0) this.#escape -= 1;
    else if (byte === quote) [this.#isInText, this.#isCutting] = [false, false];
    else {
      this.#escape = byte === backslash ? maxEscape : 0;
      this.#isCutting ||= this.#bytes > maxTextBytes && !isContinuation(byte);
    }
  }
}

/** Of a character of several bytes, but not the first. */
function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte < 0xc0;
}
