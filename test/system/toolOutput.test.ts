import { describe, expect, test } from '@jest/globals';
import { KeptText, LineSplitter, LongLineError } from '../../src/system/toolOutput.ts';

function split(...pieces: readonly string[]): { lines: string[]; errors: unknown[] } {
  const lines: string[] = [];
  const errors: unknown[] = [];
  const splitter = new LineSplitter({ onLine: (line) => lines.push(line), onError: (error) => errors.push(error) });
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return { lines, errors };
}

describe('LineSplitter', () => {
  test.each([
    { name: 'nothing', pieces: [], lines: [] },
    { name: 'lines in one piece', pieces: ['a\nb\n'], lines: ['a', 'b'] },
    { name: 'a line in many pieces', pieces: ['a', 'b', '', 'c\nd', '\n'], lines: ['abc', 'd'] },
    { name: 'empty lines', pieces: ['\n\n', '\n'], lines: ['', '', ''] },
    { name: 'a last line without an end', pieces: ['a\nb'], lines: ['a', 'b'] },
  ])('$name', ({ pieces, lines }) => {
    expect(split(...pieces)).toEqual({ lines, errors: [] });
  });

  test('a line of 1 MiB is taken, a longer one ends it all', () => {
    const longest = 'x'.repeat(1024 * 1024);
    expect(split(longest, '\n')).toEqual({ lines: [longest], errors: [] });
    const { lines, errors } = split('a\n', longest, 'x', '\nb\n');
    expect(lines.slice(0, 1)).toEqual(['a']);
    expect(lines).not.toContain('b');
    expect(errors).toEqual([expect.any(LongLineError)]);
  });
});

test('KeptText keeps the beginning', () => {
  const kept = new KeptText(4);
  for (const piece of ['ab', 'cde', 'f']) kept.push(piece);
  expect(kept.text).toBe('abcd');
});
