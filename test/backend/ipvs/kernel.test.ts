/** The backend on a kernel that really has ip_vs. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { describeWhere } from '../../support/requirements.ts';
import { runInKernel } from '../../uml/kernel.ts';
import { checks } from './checks.ts';

/** Little more than a minute where nothing else runs; a process start inside costs ten times one outside. */
const timeoutMs = 1_200_000;

describe('IpvsBackend', () => {
  describeWhere(['kernel'], 'ipvs on the kernel under test', () => {
    const reports = new Map<string, object>();
    let fault: unknown;

    const keep = (line: object): void => {
      if ('check' in line) reports.set(String(line.check), line);
    };

    beforeAll(async () => {
      await runInKernel({ program: '../backend/ipvs/inKernel.ts', timeoutMs, onLine: keep }).catch(
        (error: unknown) => (fault = error),
      );
    }, timeoutMs + 10_000);

    test('boots and runs to the end', () => {
      if (fault !== undefined) throw fault;
    });

    test.each(checks.map(({ name }) => name))('%s', (name) => {
      const report = reports.get(name);
      if (report === undefined) throw new Error('the kernel under test ended before this check');
      expect(report).not.toHaveProperty('failure');
    });
  });
});
