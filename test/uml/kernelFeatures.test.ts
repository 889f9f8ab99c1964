/** What the kernel under test has, and that a kernel which lacks something, does not boot or hangs is a failure. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { type FeatureReport, features } from './features.ts';
import { runInKernel } from './kernel.ts';
import { deviations } from './kernelConfiguration.ts';

const timeoutMs = 300_000;

describeWhere(['kernel'], 'the kernel under test', () => {
  const reports = new Map<string, FeatureReport>();
  let fault: unknown;

  const keep = (line: object): void => {
    if ('feature' in line) reports.set(String(line.feature), line as FeatureReport);
  };
  const expectFeature = (name: string): void => {
    const report = reports.get(name);
    if (report === undefined) throw fault ?? new Error('the kernel under test ended before this feature');
    expect(report).not.toHaveProperty('failure');
  };

  beforeAll(async () => {
    await runInKernel({ program: 'featuresInKernel.ts', timeoutMs, onLine: keep }).catch(
      (error: unknown) => (fault = error),
    );
  }, timeoutMs + 10_000);

  test('boots and runs to the end', () => {
    if (fault !== undefined) throw fault;
  });

  test('is configured as kernel.config says', () => expectFeature('configuration'));

  test.each(features.map(({ name }) => name))('%s', expectFeature);
});

describeWhere(['kernel'], 'runInKernel', () => {
  const usual = { program: 'packets.ts', args: ['no such subject'], timeoutMs, onLine: () => undefined };
  test.each([
    { what: 'a kernel that cannot boot', options: { memory: '1M' }, says: /did not boot; its console:/ },
    {
      what: 'a kernel that panics',
      options: { init: '/none' },
      says: /ended in .*Kernel panic - not syncing: Requested init /,
    },
    { what: 'a program that fails', options: {}, says: /ran a program that ended with 1; .*one of iptables, ipvs,/s },
    { what: 'whatever is not done in time', options: { timeoutMs: 1 }, says: /was not done after 0\.001 s/ },
  ])('throws for $what', async ({ options, says }) => {
    await expect(runInKernel({ ...usual, ...options })).rejects.toThrow(says);
  });
});

describe('deviations', () => {
  const made = 'CONFIG_NET=y\nCONFIG_IP_VS=m\n# CONFIG_IO_URING is not set\nCONFIG_STACK=4\n';
  test.each([
    { what: 'nothing of what is as it was asked for', fragment: made, found: [] },
    { what: 'an option that was dropped', fragment: 'CONFIG_NFT_NAT=y\n', found: ['CONFIG_NFT_NAT is n instead of y'] },
    {
      what: 'one that another selected',
      fragment: '# CONFIG_NET is not set\n',
      found: ['CONFIG_NET is y instead of n'],
    },
    { what: 'one that became a module', fragment: 'CONFIG_IP_VS=y\n', found: ['CONFIG_IP_VS is m instead of y'] },
    { what: 'another number', fragment: 'CONFIG_STACK=5\n', found: ['CONFIG_STACK is 4 instead of 5'] },
    { what: 'no option of a comment', fragment: '# CONFIG_NFT_NAT translates\n', found: [] },
  ])('names $what', ({ fragment, found }) => {
    expect(deviations(fragment, made)).toEqual(found);
  });
});
