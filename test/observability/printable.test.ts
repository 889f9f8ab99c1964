import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { printable, printableJSON, printableLines, printableYAML } from '../../src/observability/printable.ts';

const rows = [
  { name: 'a control character', text: 'a\u001B[2Jb', seen: 'a [2Jb', json: String.raw`"a\u001b[2Jb"` },
  { name: 'a control character of C1', text: 'a\u009B2Jb', seen: 'a 2Jb', json: String.raw`"a\u009b2Jb"` },
  { name: 'delete', text: 'a\u007F', seen: 'a ', json: String.raw`"a\u007f"` },
  { name: 'right to left', text: 'a\u202Eb', seen: 'a b', json: String.raw`"a\u202eb"` },
  { name: 'a separator of lines', text: 'a\u2028b', seen: 'a b', json: String.raw`"a\u2028b"` },
  { name: 'a tag beyond the first plane', text: 'a\u{E0041}', seen: 'a ', json: String.raw`"a\udb40\udc41"` },
  { name: 'half of a surrogate pair', text: 'a\uD83D', seen: 'a ', json: String.raw`"a\ud83d"` },
  { name: 'what can be seen', text: 'Größe 😀 "x"', seen: 'Größe 😀 "x"', json: '"Größe 😀 \\"x\\""' },
];
const anyText = fc.string({ unit: 'binary' });
const anyValue = fc.dictionary(
  anyText.filter((key) => key !== '__proto__'),
  fc.array(anyText),
);
const hostile = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe('printable', () => {
  test.each(rows)('$name', ({ text, seen, json }) => {
    expect([printable(text), printableJSON(text)]).toEqual([seen, json]);
  });

  test('line ends are blanks in a line, and stay in lines', () => {
    expect([printable('a\nb\rc'), printableLines('a\nb\rc')]).toEqual(['a b c', 'a\nb c']);
  });

  test('any value comes out without what a terminal obeys, and is the same when it is read', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const [json, yaml] = [printableJSON(value, 2), printableYAML(value)];
        expect([json, yaml].filter((text) => hostile.test(text))).toEqual([]);
        expect([JSON.parse(json), parse(yaml)]).toEqual([value, value]);
      }),
    );
  });
});
