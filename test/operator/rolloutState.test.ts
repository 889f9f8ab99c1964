import { describe, expect, test } from '@jest/globals';
import { portion } from '../../src/operator/rollout/rolloutState.ts';

describe('portion', () => {
  test.each([
    { value: 3, total: 100, is: 3 },
    { value: '10%', total: 100, is: 10 },
    { value: '10%', total: 101, is: 11 },
    { value: '1%', total: 3, is: 1 },
    { value: '100%', total: 7, is: 7 },
  ])('$value of $total is $is: percentages round up', ({ value, total, is }) => {
    expect(portion(value, total)).toBe(is);
  });
});
