import { beforeEach, describe, expect, test } from '@jest/globals';
import { ChosenInSync } from '../../src/agent/dataplane/chosenInSync.ts';

const partial = { full: false };
const full = { full: true };
const leavingOut = (service: string) => ({
  full: true,
  quarantined: [{ service, reason: 'KernelRefused', message: '' }],
});

let remembered: Map<string, number>;
let chosen: ChosenInSync<number>;

beforeEach(() => {
  remembered = new Map([
    ['ns/a', 1],
    ['ns/b', 2],
  ]);
  chosen = new ChosenInSync(remembered);
});

describe('ChosenInSync', () => {
  test('takes over what a partial sync chose, the last call for each Service, and leaves the others', () => {
    chosen.note('ns/a', 5);
    chosen.note('ns/a', 6);
    chosen.note('ns/b', undefined);
    expect([...chosen.take(partial)]).toEqual([
      ['ns/a', 6],
      ['ns/b', undefined],
    ]);
    expect([...chosen.take(partial)]).toEqual([]);
  });

  test('takes over what was chosen for a Service when that is completely written', () => {
    chosen.note('ns/a', 5);
    chosen.note('ns/b', 6);
    expect([...chosen.take({ full: false, unfinished: ['ns/b', 'ns/c'] })]).toEqual([['ns/a', 5]]);
    chosen.note('ns/a', 7);
    expect([...chosen.take(partial)]).toEqual([
      ['ns/b', 6],
      ['ns/a', 7],
    ]);
  });

  test('keeps nothing of a Service that gives nothing to remember', () => {
    chosen.note('ns/c', undefined);
    expect([...chosen.take(full)].map(([key]) => key)).not.toContain('ns/c');
  });

  test('forgets what the last call of a sync takes back', () => {
    chosen.note('ns/c', 1);
    chosen.note('ns/c', undefined);
    expect(chosen.take(partial).get('ns/c')).toBeUndefined();
  });

  test('takes Services for gone that a full sync did not choose for', () => {
    chosen.note('ns/a', 5);
    expect([...chosen.take(full)]).toEqual([
      ['ns/a', 5],
      ['ns/b', undefined],
    ]);
  });

  test('keeps what it remembers of a Service that a full sync left out without choosing for it', () => {
    expect([...chosen.take(leavingOut('ns/b'))]).toEqual([['ns/a', undefined]]);
  });

  test('takes over what was chosen for a Service that is left out', () => {
    chosen.note('ns/a', 1);
    chosen.note('ns/b', undefined);
    expect([...chosen.take(leavingOut('ns/b'))]).toEqual([
      ['ns/a', 1],
      ['ns/b', undefined],
    ]);
  });

  test('loses what a failed sync chose', () => {
    chosen.note('ns/c', 9);
    chosen.discard();
    expect([...chosen.take(partial)]).toEqual([]);
  });
});
