import { describe, expect, test } from '@jest/globals';
import { eventOn, DueServiceEvents, type ServiceNote } from '../../src/operator/events/serviceEvents.ts';

function note(name: string, words = 'left out', reason = 'KernelRefused'): ServiceNote {
  return { service: { namespace: 'default', name }, reason, note: words };
}

describe('DueServiceEvents', () => {
  test('a note is due once, and anew after a change or after it did not hold for a while', () => {
    const dueEvents = new DueServiceEvents();
    const calls = [
      [note('a')],
      [note('a')],
      [note('a', 'left out still')],
      [note('a', 'left out still'), note('a', 'its slice is not valid', 'InvalidEndpointSlice')],
      [],
      [note('a')],
    ];
    expect(calls.map((notes) => dueEvents.take(notes).due.map(({ note: words }) => words))).toEqual([
      ['left out'],
      [],
      ['left out still'],
      ['its slice is not valid'],
      [],
      ['left out'],
    ]);
  });

  test('a few at a time, and each in the end', () => {
    const dueEvents = new DueServiceEvents();
    const notes = Array.from({ length: 50 }, (_, index) => note(`svc-${index}`));
    const calls = [1, 2, 3, 4].map(() => dueEvents.take(notes));
    expect(calls.map(({ due, hasMore }) => [due.length, hasMore])).toEqual([
      [20, true],
      [20, true],
      [10, false],
      [0, false],
    ]);
    expect(new Set(calls.flatMap(({ due }) => due.map(({ service: { name } }) => name))).size).toBe(50);
  });
});

describe('eventOn', () => {
  test('the same note on the same Service is the same event, whoever records it', () => {
    expect(eventOn(note('a'), 'uid-1')).toEqual(eventOn(note('a'), 'uid-1'));
    const names = [eventOn(note('a'), 'uid-1'), eventOn(note('a'), 'uid-2'), eventOn(note('a', 'else'), 'uid-1')].map(
      ({ name }) => name,
    );
    expect(new Set(names).size).toBe(3);
  });
});
