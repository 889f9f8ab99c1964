/**
 * JSON whose long texts are cut: it stays JSON, and everything else stays as it is.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LongTexts } from '../../src/kube/longTexts.ts';
import { scaled } from '../support/scale.ts';

function cut(text: string, length: number): string {
  const bytes = Buffer.from(text);
  const texts = new LongTexts();
  const kept: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) kept.push(texts.cut(Buffer.from(bytes.subarray(at, at + length))));
  const whole = Buffer.concat(kept);
  expect(texts.cutBytes).toBe(bytes.length - whole.length);
  return whole.toString();
}

/** In bytes of JSON. */
const maxWhole = 16 * 1024;

describe('LongTexts', () => {
  test('leaves JSON without long texts as it is, wherever it is cut into chunks', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 40 }), (value, length) => {
        expect(cut(JSON.stringify(value), length)).toBe(JSON.stringify(value));
      }),
      { numRuns: scaled(300, 10_000) },
    );
  });

  test('leaves of a long text the beginning, and all that is beside it', () => {
    const long = fc.constantFrom('{"a":"b"},', 'ä', '😀', '\u0001', '\\', '"', 'a', '0', '\ud800', 'x\u007f');
    const texts = fc.array(fc.tuple(fc.string(), long, fc.string()), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 70_000 }), (parts, length) => {
        const value = parts.map(([before, part, after]) => [before, part.repeat(40_000), after]);
        const json = JSON.stringify(value);
        const found = JSON.parse(cut(json, length)) as string[][];
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
      expect(Buffer.byteLength(cut(JSON.stringify({ notes: part.repeat(40_000) }), 65_536))).toBeLessThan(
        maxWhole + 100,
      );
    },
  );
});
