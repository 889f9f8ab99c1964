/**
 * Cuts long texts out of JSON before it is parsed. In all that is listed or watched, only an annotation may be so long
 * (256 KiB), and no annotation is read of which more than the first word matters: what is cut would be garbage at once,
 * and much of it at that.
 */
const quote = 0x22;
const backslash = 0x5c;
const letterU = 0x75;
/** The longest text that the CRDs allow has 1024 characters, of at most 6 bytes each in JSON. */
const maxTextBytes = 16 * 1024;

/** The JSON of an object, in which of each longer text the first 16 KiB are left. It is the same memory. */
export function cutLongTexts(json: Buffer): Buffer {
  if (json.length <= maxTextBytes) return json;
  let [kept, from] = [0, 0];
  for (let begin = json.indexOf(quote) + 1; begin > 0;) {
    const end = endOfText(json, begin);
    if (end - begin > maxTextBytes) {
      kept += json.copy(json, kept, from, endOfCharacter(json, begin));
      from = end;
    }
    begin = json.indexOf(quote, end + 1) + 1;
  }
  if (from > 0) kept += json.copy(json, kept, from);
  return from > 0 ? json.subarray(0, kept) : json;
}

/** Where its quotation mark is: one after an odd number of backslashes is the text's own. */
function endOfText(json: Buffer, begin: number): number {
  for (let end = json.indexOf(quote, begin); end !== -1; end = json.indexOf(quote, end + 1)) {
    let before = end;
    while (json.readUInt8(before - 1) === backslash) before -= 1;
    if ((end - before) % 2 === 0) return end;
  }
  return json.length;
}

/** After the last character or escape that is in the bytes which are left of the text. */
function endOfCharacter(json: Buffer, begin: number): number {
  let end = begin;
  for (let next = end; next - begin <= maxTextBytes; next += lengthAt(json, next)) end = next;
  return end;
}

/** In bytes: of an escape such as `\n` or `\u0041`, or of a character in UTF-8 by its first byte. */
function lengthAt(json: Buffer, at: number): number {
  const first = json.readUInt8(at);
  if (first === backslash) return json.readUInt8(at + 1) === letterU ? 6 : 2;
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
