import { describe, expect, test } from '@jest/globals';
import { ApiError, errorFromStatus, isGone, isUnreachable, retryAfterMs } from '../../src/kube/apiError.ts';

const waits = (error: unknown): readonly number[] => Array.from({ length: 200 }, () => retryAfterMs(error));

describe('ApiError', () => {
  const rows: readonly { said: unknown; seconds: number | undefined }[] = [
    { said: undefined, seconds: undefined },
    { said: 0, seconds: 0 },
    { said: 1, seconds: 1 },
    { said: 0.5, seconds: 0.5 },
    { said: 60, seconds: 60 },
    { said: 61, seconds: 60 },
    { said: 86_400, seconds: 60 },
    { said: 2 ** 31, seconds: 60 },
    { said: 1e300, seconds: 60 },
    { said: Number.POSITIVE_INFINITY, seconds: undefined },
    { said: Number.NaN, seconds: undefined },
    { said: -1, seconds: undefined },
    { said: -1e300, seconds: undefined },
    { said: '5', seconds: undefined },
    { said: 'soon', seconds: undefined },
    { said: null, seconds: undefined },
    { said: [5], seconds: undefined },
    { said: { valueOf: 5 }, seconds: undefined },
  ];
  test.each(rows)('retryAfterSeconds: $said in the body of a refusal is $seconds', ({ said, seconds }) => {
    const error = errorFromStatus({ kind: 'Status', code: 429, details: { retryAfterSeconds: said } }, 429);
    expect(error.retryAfterSeconds).toBe(seconds);
    for (const wait of waits(error)) {
      expect(wait).toBeGreaterThanOrEqual((seconds ?? 0) * 1000);
      expect(wait).toBeLessThanOrEqual((seconds ?? 0) * 1200);
    }
  });

  const headers: readonly { header: string; seconds: number | undefined }[] = [
    { header: '0', seconds: 0 },
    { header: '7', seconds: 7 },
    { header: '86400', seconds: 60 },
    { header: '9'.repeat(40), seconds: 60 },
    { header: '9'.repeat(400), seconds: undefined },
    { header: '-5', seconds: undefined },
    { header: '1e3', seconds: undefined },
    { header: '', seconds: undefined },
    { header: 'Fri, 31 Dec 9999 23:59:59 GMT', seconds: undefined },
  ];
  test.each(headers)('Retry-After: $header is $seconds', ({ header, seconds }) => {
    expect(errorFromStatus(undefined, 503, header).retryAfterSeconds).toBe(seconds);
  });

  test('the wait differs from one who was told to the next', () => {
    const error = new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterSeconds: 10 });
    expect(new Set(waits(error)).size).toBeGreaterThan(100);
  });
});

describe('errorFromStatus', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'refused'],
    ['a list', [{ kind: 'Status', code: 410 }]],
    ['another kind', { kind: 'Pod', code: 410, reason: 'Expired' }],
    ['fields of other types', { kind: 'Status', code: '410', reason: 410, message: { text: 'x' }, details: 'none' }],
    ['a code of success', { kind: 'Status', code: 200 }],
    ['a code without bounds', { kind: 'Status', code: -1e300 }],
    ['causes that are no list', { kind: 'Status', details: { causes: 'FieldManagerConflict' } }],
    ['a cause that is null', { kind: 'Status', details: { causes: [null] } }],
  ])('a body that is %s is the error of a server that failed', (_name, body) => {
    const error = errorFromStatus(body, 0);
    const { status, reason, message } = error;
    expect({ status, reason, message }).toEqual({
      status: 500,
      reason: 'HTTP500',
      message: 'the API server answered 500',
    });
    expect([isGone(error), isUnreachable(error)]).toEqual([false, false]);
  });
});
