/**
 * Operators and an agent in a cluster whose Services have nearly as many annotations as the API server takes: they need
 * little more memory than without these.
 */
import { expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { scaled } from '../support/scale.ts';
import { peakMemoryWith, programs } from './annotatedServices.ts';

const count = scaled(200, 1000);
/** Of resident memory; half of the limit in config/operator. */
const maxOperatorMiB = 256;
const maxGrowth = 1.5;

describeWhere(['root', 'cluster', 'iptables'], `${count} Services with 250 kB of annotations each`, () => {
  test('cost little memory, in a list as in a watch', async () => {
    const without = await peakMemoryWith({ count, annotationBytes: 0 });
    const loaded = await peakMemoryWith({ count, annotationBytes: 250_000 });
    console.log(JSON.stringify({ without, loaded }, null, 1));
    for (const phase of ['listed', 'watched'] as const) {
      expect(loaded[phase]['leading operator']).toBeLessThanOrEqual(maxOperatorMiB);
      expect(loaded[phase]['following operator']).toBeLessThanOrEqual(maxOperatorMiB);
      for (const program of programs)
        expect(loaded[phase][program] / without[phase][program]).toBeLessThanOrEqual(maxGrowth);
    }
  }, 600_000);
});
