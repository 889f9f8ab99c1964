/**
 * JSON whose long texts are cut: it stays JSON, and everything else stays as it is.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { cutLongTexts } from '../../src/kube/longTexts.ts';
import { scaled } from '../support/scale.ts';

const cut = (text: string): string => cutLongTexts(Buffer.from(text)).toString();

/** In bytes of JSON. */
const maxWhole = 16 * 1024;

describe('cutLongTexts', () => {
  test('leaves JSON without long texts as it is, however long it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(1, 500), (value, times) => {
        const json = JSON.stringify(Array.from({ length: times }, () => value));
        expect(cut(json)).toBe(json);
      }),
      { numRuns: scaled(300, 10_000) },
    );
  });

  test('leaves of a long text the beginning, and all that is beside it', () => {
    const long = fc.constantFrom('{"a":"b"},', 'ä', '😀', '\u0001', '\\', '"', 'a', '0', '\ud800', 'x\u007f');
    const texts = fc.array(fc.tuple(fc.string(), long, fc.string()), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(texts, (parts) => {
        const value = parts.map(([before, part, after]) => [before, part.repeat(40_000), after]);
        const json = JSON.stringify(value);
        const found = JSON.parse(cut(json)) as string[][];
        for (const [index, [before, text, after]] of value.entries()) {
          expect([found[index]?.[0], found[index]?.[2]]).toEqual([before, after]);
          const beginning = (found[index]?.[1] ?? '').replace(/\ufffd$/, '');
          expect(text?.startsWith(beginning.slice(0, -2))).toBe(true);
          expect(Buffer.byteLength(JSON.stringify(beginning))).toBeGreaterThan(maxWhole - 10);
        }
      }),
      { numRuns: scaled(30, 1000) },
    );
  });

  test.each(['{"name":"a note of a tool"},', 'a', '\u0001', '😀'])(
    'cuts all of a long text of %j but its beginning',
    (part) => {
      expect(Buffer.byteLength(cut(JSON.stringify({ notes: part.repeat(40_000) })))).toBeLessThan(maxWhole + 100);
    },
  );
});
