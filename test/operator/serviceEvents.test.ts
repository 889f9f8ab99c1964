import { describe, expect, test } from '@jest/globals';
import { eventOn, DueServiceEvents, type ServiceNote } from '../../src/operator/events/serviceEvents.ts';

function note(name: string, words = 'left out', reason = 'KernelRefused'): ServiceNote {
  return { service: { namespace: 'default', name }, reason, note: words };
}

function reported(count: number, from: number, nodes: readonly string[]): readonly ServiceNote[] {
  return Array.from({ length: count }, (_, index) => ({ ...note(`svc-${from + index}`), nodes }));
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
    expect(calls.map((notes) => dueEvents.take(notes, 0).due.map(({ note: words }) => words))).toEqual([
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
    const calls = [1, 2, 3, 4].map(() => dueEvents.take(notes, 0));
    expect(calls.map(({ due, hasMore }) => [due.length, hasMore])).toEqual([
      [20, true],
      [20, true],
      [10, false],
      [0, false],
    ]);
    expect(new Set(calls.flatMap(({ due }) => due.map(({ service: { name } }) => name))).size).toBe(50);
  });
});

describe('DueServiceEvents, of what nodes report', () => {
  const hour = 3_600_000;
  test.each([
    {
      name: 'a node causes 20 in an hour, however often it names others',
      takes: [
        [30, 0],
        [30, 100],
        [30, 200],
      ],
      due: [20, 0, 0],
    },
    {
      name: 'and 20 in the next hour',
      takes: [
        [30, 0],
        [30, 100],
        [30, hour],
      ],
      due: [20, 0, 20],
    },
    {
      name: 'and so does one that takes its time',
      takes: [
        [5, 0],
        [15, 100],
        [5, 200],
        [5, hour],
      ],
      due: [5, 15, 0, 5],
    },
  ])('$name', ({ takes, due }) => {
    const dueEvents = new DueServiceEvents();
    const counts = takes.map(
      ([count = 0, at = 0]) => dueEvents.take(reported(count, at * 100, ['node-1']), at).due.length,
    );
    expect(counts).toEqual(due);
  });

  test('one node takes no event from another, and none from what the operator itself finds', () => {
    const dueEvents = new DueServiceEvents();
    dueEvents.take(reported(20, 0, ['node-1']), 0);
    expect(dueEvents.take(reported(1, 100, ['node-1', 'node-2']), 1).due).toHaveLength(1);
    expect(dueEvents.take([note('b')], 2).due).toHaveLength(1);
    expect(dueEvents.take(reported(1, 200, ['node-1']), 3)).toEqual({ due: [], hasMore: true });
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
