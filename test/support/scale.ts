/**
 * @module How much of a test runs: what keeps `npm test` quick, mostly a number, or with FULL=1 (`npm run test:full`)
 * what is promised.
 */
export function scaled<Amount>(small: Amount, full: Amount): Amount {
  return process.env['FULL'] === '1' ? full : small;
}
