/**
 * @module How much of a test runs: a number that keeps `npm test` quick, or with FULL=1 (`npm run test:full`) the one
 * that is promised.
 */
export function scaled(small: number, full: number): number {
  return process.env['FULL'] === '1' ? full : small;
}
