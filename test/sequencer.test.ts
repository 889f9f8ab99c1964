import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { startOrder } from './sequencer.ts';
import { slowSuites } from './slowSuites.ts';

test('the longest first, and one that computes beside one that waits', () => {
  const suites = [
    { name: 'waits 10 s', seconds: 10, computes: false },
    { name: 'computes for 20 s', seconds: 20, computes: true },
    { name: 'waits 90 s', seconds: 90, computes: false },
    { name: 'computes for 30 s', seconds: 30, computes: true },
    { name: 'waits 40 s', seconds: 40, computes: false },
  ];
  expect(startOrder(suites)).toEqual([
    'computes for 30 s',
    'waits 90 s',
    'computes for 20 s',
    'waits 40 s',
    'waits 10 s',
  ]);
});

test.each(slowSuites)(
  '$name is there, and in the table of test/README.md with its figures',
  ({ name, seconds, computes }) => {
    expect(existsSync(name)).toBe(true);
    expect(readFileSync('test/README.md', 'utf8')).toContain(
      `| \`${name.slice('test/'.length)}\` | ${seconds} | ${computes ? 'computes' : 'waits'} |`,
    );
  },
);
