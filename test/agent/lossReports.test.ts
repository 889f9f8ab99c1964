import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { LossReports } from '../../src/agent/kernel/lossReports.ts';

describe('LossReports', () => {
  let reported: number[];
  let reports: LossReports;

  beforeEach(() => {
    jest.useFakeTimers();
    reported = [];
    const started = performance.now();
    reports = new LossReports(() => void reported.push(performance.now() - started));
  });
  afterEach(() => {
    reports.stop();
    jest.useRealTimers();
  });

  test('are made once for the many events of one flush, 10 ms after the first', () => {
    for (let event = 0; event < 1000; event += 1) reports.request(event % 2 === 0);
    jest.advanceTimersByTime(1000);
    expect(reported).toEqual([10]);
  });

  test("are made once in 5 s for what may be others', however often they delete rules", () => {
    for (let second = 0; second < 20; second += 1) {
      reports.request(true);
      jest.advanceTimersByTime(1000);
    }
    expect(reported).toEqual([10, 5010, 10_010, 15_010]);
  });

  test('are made at once for what is ours, also while one for others waits', () => {
    reports.request(true);
    jest.advanceTimersByTime(1000);
    reports.request(true);
    reports.request(false);
    jest.advanceTimersByTime(10_000);
    expect(reported).toEqual([10, 1010]);
  });

  test("are made at once for what may be others' after one for what is ours", () => {
    reports.request(false);
    jest.advanceTimersByTime(1000);
    reports.request(true);
    jest.advanceTimersByTime(1000);
    expect(reported).toEqual([10, 1010]);
  });
});
