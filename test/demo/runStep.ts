/**
 * @module Runs one step until its answer is as expected or its time is over.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Scene, Step } from './scene.ts';

export interface Result {
  readonly step: Step;
  readonly shown: string;
  readonly answer: Answer;
  /** Why it failed; undefined when it passed. */
  readonly reason: string | undefined;
  readonly tookMs: number;
}

const betweenTriesMs = 300;

export async function runStep(step: Step, scene: Scene, withinMs = step.withinMs): Promise<Result> {
  const started = performance.now();
  for (;;) {
    const answer = await step.action.perform(scene);
    const reason = step.expect(answer, scene);
    const tookMs = performance.now() - started;
    if (reason === undefined || tookMs >= withinMs)
      return { step, shown: step.action.shown(scene), answer, reason, tookMs };
    await pause(betweenTriesMs);
  }
}
