import { describe, expect, test } from '@jest/globals';
import { QueuedChanges } from '../../src/agent/dataplane/queuedChanges.ts';

const change = (service: string, triggerTime?: number) =>
  ({ family: 'ipv4', service, kind: 'endpoints', triggerTime }) as const;

describe('QueuedChanges', () => {
  test('gives the trigger times of what is in the kernel, those of an unfinished Service when that is complete', () => {
    const queued = new QueuedChanges();
    queued.add(change('ns/big', 1));
    queued.add(change('ns/a', 2));
    queued.add(change('ns/b'));
    const first = queued.take(false);
    expect(first.services).toEqual(new Set(['ns/big', 'ns/a', 'ns/b']));
    expect(queued.isEmpty).toBe(true);
    expect(queued.succeeded(first, ['ns/big'])).toEqual([2]);
    expect(queued).toMatchObject({ isEmpty: false, isUnfinished: true });
    queued.add(change('ns/big', 3));
    const second = queued.take(false);
    expect(second.services).toEqual(new Set(['ns/big']));
    expect(queued.succeeded(second)).toEqual([1]);
    expect(queued).toMatchObject({ isEmpty: false, isUnfinished: false });
    expect(queued.succeeded(queued.take(false))).toEqual([3]);
    expect(queued.isEmpty).toBe(true);
  });

  test('keeps the trigger times of a run that failed, for the run of all Services that follows', () => {
    const queued = new QueuedChanges();
    queued.add(change('ns/big', 1));
    queued.succeeded(queued.take(false), ['ns/big']);
    queued.add(change('ns/a', 2));
    queued.failed(queued.take(false));
    const all = queued.take(true);
    expect(all.services).toBe('all');
    expect(queued.succeeded(all)).toEqual([1, 2]);
    expect(queued.isEmpty).toBe(true);
  });

  test('measures 1,000 changes of a run at most', () => {
    const queued = new QueuedChanges();
    for (let time = 0; time < 1500; time += 1) queued.add(change('ns/a', time));
    expect(queued.succeeded(queued.take(false))).toHaveLength(1000);
  });
});
