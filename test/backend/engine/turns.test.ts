import { describe, expect, test } from '@jest/globals';
import { atOnce, inTurns, Pauses, type Turns } from '../../../src/backend/engine/turns.ts';

/** Each of its steps keeps the process busy for longer than anybody should wait. */
function* longComputation(steps: number, done: string[]): Turns<string> {
  for (let index = 0; index < steps; index += 1) {
    for (const end = performance.now() + 25; performance.now() < end;);
    done.push('step');
    yield;
  }
  return 'result';
}

function* failing(): Turns<string> {
  yield;
  throw new Error('no');
}

/** Is called as often as the event loop comes around, until it is stopped. */
function eachRound(call: () => void): () => void {
  let isStopped = false;
  const round = (): void => {
    if (isStopped) return;
    call();
    setImmediate(round);
  };
  setImmediate(round);
  return () => (isStopped = true);
}

describe('inTurns', () => {
  test('lets the event loop come around between long steps', async () => {
    const done: string[] = [];
    const stop = eachRound(() => done.push('other'));
    expect(await inTurns(longComputation(3, done), new Pauses())).toBe('result');
    stop();
    expect(done.filter((each, index) => each === 'step' && done[index + 1] === 'step')).toEqual([]);
    expect(done.filter((each) => each === 'step')).toHaveLength(3);
  });

  test('throws what the computation throws', async () => {
    await expect(inTurns(failing(), new Pauses())).rejects.toThrow('no');
  });

  test('gives what atOnce gives', () => {
    expect(atOnce(longComputation(1, []))).toBe('result');
  });
});
