/**
 * The suites that read and write by the kernel's tools, once more with those of the image: `npm test` itself runs with
 * the machine's. With FULL=1 all that break tools, too.
 */
import { execa } from 'execa';
import { beforeAll, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { runSuites, type TestOutcome } from './runSuites.ts';
import { environment, inRoot, toolsRoot } from './toolsRoot.ts';

interface Part {
  readonly suite: string;
  /** Of the tests that are run; all without. */
  readonly names?: readonly string[];
  /** Fewer ran not as they should. */
  readonly minTests: number;
}

const isFull = process.env['FULL'] === '1';

const parts: readonly Part[] = [
  { suite: 'test/netfilter/xtables/wordings.test.ts', minTests: 4 },
  { suite: 'test/backend/iptables/saveWords.test.ts', minTests: 10 },
  { suite: 'test/backend/iptables/unreadable.test.ts', minTests: 26 },
  { suite: 'test/scenarios/iptables.test.ts', minTests: 1100 },
  { suite: 'test/faults/tools.test.ts', minTests: 21 },
];
const withNames: Part = {
  suite: 'test/faults/agent.test.ts',
  names: ['repairs the nat table', 'repairs everything at once', 'keeps 50 rules'],
  minTests: 3,
};
const fullParts: readonly Part[] = [
  { suite: 'test/backend/iptables/kernel.test.ts', minTests: 20 },
  { suite: 'test/backend/dyingTools.test.ts', minTests: 11 },
  { suite: 'test/agent/flushMonitor.test.ts', minTests: 6 },
  { suite: 'test/faults/agent.test.ts', minTests: 8 },
  { suite: 'test/faults/brokenTools.test.ts', minTests: 5 },
  { suite: 'test/faults/dyingTools.test.ts', minTests: 4 },
  { suite: 'test/faults/refused.test.ts', minTests: 1 },
  { suite: 'test/faults/udpFlows.test.ts', minTests: 1 },
];

describeWhere(['root', 'cluster', 'iptables', 'debian'], "with the image's tools", () => {
  let root: string;
  let outcomes: readonly TestOutcome[];
  const all = isFull ? [...parts, ...fullParts] : [...parts, withNames];
  beforeAll(async () => {
    root = await toolsRoot();
    const whole = all.filter(({ names }) => names === undefined).map(({ suite }) => suite);
    outcomes = await runSuites(root, whole);
    if (!isFull) outcomes = [...outcomes, ...(await runSuites(root, [withNames.suite], withNames.names))];
  }, 1_800_000);

  test('runs other tools than those of the machine, where that is Debian 12', async () => {
    const [file = '', ...enter] = inRoot(root);
    const { stdout } = await execa(file, [...enter, 'sh', '-c', 'iptables-nft --version; nft --version'], {
      env: environment,
      extendEnv: false,
    });
    expect(stdout).toMatch(/^iptables v1\.8\.11 \(nf_tables\)\nnftables v1\.1\.3 /);
  });

  test.each(all)('$suite holds', ({ suite, minTests }) => {
    const own = outcomes.filter((outcome) => outcome.suite === suite);
    expect(own.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(own.length).toBeGreaterThanOrEqual(minTests);
  });
});
