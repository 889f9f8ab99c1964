/**
 * The whole product on a real cluster: the demo's steps as assertions. First without agents, where whatever needs
 * packets must fail, so that no step passes by itself.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, up } from '../cluster/cluster.ts';
import { productImage } from '../cluster/images.ts';
import { install } from '../demo/install.ts';
import { runStep } from '../demo/runStep.ts';
import type { Step } from '../demo/scene.ts';
import { chapters, serviceChapters } from '../demo/steps.ts';
import { describeWhere } from '../support/requirements.ts';

const upMs = 300_000;
const stepMs = 150_000;
/** One short chance: nothing will come true later. */
const hopelessMs = 1500;

describeWhere(['root', 'cluster'], 'the product on a real cluster', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await up({ nodes: 2, name: `test-${process.pid}`, images: [await productImage()] });
  }, upMs);

  afterAll(async () => {
    await cluster?.down();
  }, upMs);

  describe('without agents', () => {
    beforeAll(async () => {
      await install(cluster, { withoutAgents: true });
    }, upMs);

    test.each(steps(serviceChapters))(
      '$title',
      async (step) => {
        const { reason, answer } = await runStep(step, { cluster }, step.needsAgents ? hopelessMs : step.withinMs);
        if (step.needsAgents) expect(reason).toBeDefined();
        else expect({ reason, answer }).toEqual({ reason: undefined, answer });
      },
      stepMs,
    );
  });

  describe('with agents', () => {
    beforeAll(async () => {
      await install(cluster);
    }, upMs);

    for (const chapter of chapters) {
      describe(chapter.title, () => {
        test.each([...chapter.steps])(
          '$title',
          async (step) => {
            const { reason, answer } = await runStep(step, { cluster });
            expect({ reason, answer }).toEqual({ reason: undefined, answer });
          },
          stepMs,
        );
      });
    }
  });
});

function steps(from: typeof chapters): Step[] {
  return from.flatMap((chapter) => chapter.steps);
}
