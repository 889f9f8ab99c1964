/**
 * An agent that takes the place of another: this build after itself, so that nothing is checked out, for real. The last
 * replacement is spoiled, and must be judged so.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../.ci/build.ts';
import { productCommand } from '../bench/ground.ts';
import { describeWhere } from '../support/requirements.ts';
import type { TrafficReport } from '../support/traffic.ts';
import { until } from '../support/until.ts';
import { figuresOf, problemsOf } from './judgement.ts';
import { ruleDifferences, rulesByChain } from './nodeRules.ts';
import { asText, type NodeReport, type StepReport, sumOf } from './report.ts';
import { runOnNode } from './runOnNode.ts';
import { replaceSettings } from './settings.ts';
import { nameOf, type Replacement, stepsOf } from './task.ts';

const root = join(import.meta.dirname, '..', '..');

describeWhere(['root', 'iptables'], 'runOnNode', () => {
  const saved: Replacement = { from: 'revision', to: 'this build', signal: 'SIGTERM', isApiAway: true };
  const killed: Replacement = { from: 'this build', to: 'revision', signal: 'SIGKILL' };
  const flushed: Replacement = { from: 'revision', to: 'this build', signal: 'SIGTERM', isFlushed: true };
  const replacements = [saved, killed, flushed];
  let directory: string;
  let report: NodeReport;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'replace-test-'));
    const dist = join(directory, 'dist');
    await bundle(dist);
    const product = productCommand(root, dist);
    report = await runOnNode(
      {
        mode: 'iptables',
        variant: 'nft',
        api: 'objects',
        products: { revision: product, 'this build': product },
        replacements,
      },
      { directory, signal: new AbortController().signal, onStep: () => {} },
    );
    process.stdout.write(`${asText(report)}\n`);
  }, 120_000);
  afterAll(() => rm(directory, { recursive: true }));

  const stepOf = (name: string): StepReport | undefined => report.steps.find(({ step }) => step === name);

  test('reports every step', () => {
    expect({ fault: report.fault, steps: report.steps.map(({ step }) => step) }).toEqual({
      fault: undefined,
      steps: stepsOf({ replacements }),
    });
  });

  test.each([saved, killed].map(nameOf))('loses nothing and leaves nothing: %s', (name) => {
    const step = stepOf(name);
    expect(step).toMatchObject({ problems: [], traffic: { lost: 0 } });
    expect(step?.traffic?.connections).toBeGreaterThan(100);
    expect(step?.rules?.before).toBeGreaterThan(100);
    expect(step?.rules?.after).toBe(step?.rules?.before);
  });

  test('says lost where rules are flushed between two agents', () => {
    const step = stepOf(nameOf(flushed));
    expect(step?.problems).toContainEqual(expect.stringMatching(/^from (client|node): lost .*(SYNs|connections)/));
    expect(step?.traffic?.lost).toBeGreaterThan(0);
    expect(sumOf([report])).toMatch(/^FAIL: 5 of 6 steps/);
  });

  test('leaves nothing after the cleanup, and nothing of the first agent', () => {
    for (const step of report.steps.filter(({ step: name }) => !/flushed/.test(name)))
      expect(step.problems).toEqual([]);
    expect(report.steps.at(-1)?.rules?.after).toBe(0);
  });

  test('leaves no file', async () => {
    expect(await readdir(join(directory, 'tmp'))).toEqual([expect.stringMatching(/^replace-/)]);
  });
});

describeWhere(['root', 'cluster', 'iptables'], 'npm run replace', () => {
  test('leaves nothing when it is interrupted', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'replace-stopped-'));
    const program = join(root, 'test', 'replace', 'replace.ts');
    const flags = ['--against', 'HEAD', '--mode', 'iptables', '--variant', 'nft'];
    const running = execa(process.execPath, [program, ...flags], {
      cwd: root,
      env: { TMPDIR: directory },
      reject: false,
    });
    running.stderr.on('data', (text: Buffer) => {
      if (text.includes('PASS this build alone')) running.kill('SIGINT');
    });
    expect((await running).exitCode).toBe(2);
    expect(await readdir(directory)).toEqual([]);
    expect((await execa('git', ['worktree', 'list', '--porcelain'], { cwd: root })).stdout).not.toContain(directory);
    await until('its processes are gone', async () => (await processesThatName(directory)).length === 0);
    await rm(directory, { recursive: true });
  });
});

/** Command lines of running processes. */
async function processesThatName(words: string): Promise<readonly string[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(numbers.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(words));
}

const calm: TrafficReport = {
  flows: 2,
  exchanges: 20,
  broken: [],
  longestSilenceMs: 60,
  unanswered: {},
  connections: 100,
  failed: {},
  seenFrom: ['192.0.2.10'],
  answeredBy: { 'connection ipv4 ClusterIP': ['podA', 'remotePod'], 'connection ipv4 sticky ClusterIP': ['podC'] },
  slowestMs: 12,
  seconds: 2,
  lostSyns: 0,
};

describe('problemsOf', () => {
  test('finds none in traffic of which nothing was lost', () => {
    expect(problemsOf({ client: calm })).toEqual([]);
    expect(figuresOf({ client: calm, node: calm })).toEqual({ connections: 200, lost: 0, longestGapMs: 60 });
  });

  test.each<{ what: string; seen: Partial<TrafficReport>; lost: number }>([
    { what: 'a SYN that was sent again', seen: { lostSyns: 1 }, lost: 1 },
    { what: 'a connection', seen: { failed: { 'a: timed out': 2 } }, lost: 2 },
    { what: 'a flow that broke', seen: { broken: ['TCP: ECONNRESET'] }, lost: 1 },
    { what: 'a datagram', seen: { unanswered: { UDP: 3 } }, lost: 3 },
  ])('counts $what as lost', ({ seen, lost }) => {
    const reports = { client: { ...calm, ...seen } };
    expect(problemsOf(reports)).toEqual([expect.stringMatching(/^from client: lost /)]);
    expect(figuresOf(reports).lost).toBe(lost);
  });

  test.each<{ what: string; seen: Partial<TrafficReport> }>([
    {
      what: 'an endpoint that a client with affinity left',
      seen: { answeredBy: { 'sticky ClusterIP': ['podA', 'podC'] } },
    },
    { what: 'flows without an answer', seen: { exchanges: 0 } },
    { what: 'no connection', seen: { connections: 0 } },
  ])('names $what', ({ seen }) => {
    expect(problemsOf({ client: { ...calm, ...seen } })).toHaveLength(1);
  });
});

const save = (...rules: readonly string[]): string =>
  `# of now\n*nat\n:OUTPUT ACCEPT [5:6]\n:KUBE-B - [0:0]\n:KUBE-A - [1:2]\n${rules.join('\n')}\nCOMMIT\n`;
const snapshotOf = (text: string) => ({ 'iptables-nft-save': rulesByChain(text) });

describe('ruleDifferences', () => {
  const usual = snapshotOf(save('-A OUTPUT -j KUBE-A', '-A KUBE-A -j KUBE-B', '-A KUBE-A -j RETURN'));

  test('is empty where only counters and the order of chains differ', () => {
    const other =
      '*nat\n:KUBE-A - [7:7]\n:KUBE-B - [0:0]\n-A KUBE-A -j KUBE-B\n-A KUBE-A -j RETURN\n-A OUTPUT -j KUBE-A\n';
    expect(ruleDifferences(snapshotOf(other), usual)).toEqual([]);
  });

  test.each([
    {
      what: 'a chain that is left over',
      rules: ['-A OUTPUT -j KUBE-A', '-A KUBE-A -j KUBE-B', '-A KUBE-A -j RETURN', ':KUBE-PROXY-TRIAL - [0:0]'],
    },
    { what: 'a rule that is missing', rules: ['-A OUTPUT -j KUBE-A', '-A KUBE-A -j KUBE-B'] },
    { what: 'another order in a chain', rules: ['-A OUTPUT -j KUBE-A', '-A KUBE-A -j RETURN', '-A KUBE-A -j KUBE-B'] },
    {
      what: 'a rule that stands twice',
      rules: ['-A OUTPUT -j KUBE-A', '-A OUTPUT -j KUBE-A', '-A KUBE-A -j KUBE-B', '-A KUBE-A -j RETURN'],
    },
  ])('names $what', ({ rules }) => {
    expect(ruleDifferences(snapshotOf(save(...rules)), usual)).toHaveLength(1);
  });
});

describe('replaceSettings', () => {
  test.each([
    { args: '--against main', nodes: ['iptables nft', 'iptables legacy', 'ipvs nft', 'ipvs legacy'] },
    { args: '--against main --mode iptables', nodes: ['iptables nft', 'iptables legacy'] },
    { args: '--against main --variant nft', nodes: ['iptables nft', 'ipvs nft'] },
    { args: '--against main --mode ipvs --variant legacy', nodes: ['ipvs legacy'] },
  ])('takes $args', ({ args, nodes }) => {
    const settings = replaceSettings(args.split(' '));
    expect(settings.against).toBe('main');
    expect(settings.nodes.map(({ mode, variant }) => `${mode} ${variant}`)).toEqual(nodes);
  });

  test.each([
    { args: '--mode ipvs', names: '--against <rev>' },
    { args: '--against main --mode userspace', names: "'userspace' is invalid" },
    { args: '--against main other', names: 'too many arguments' },
  ])('refuses $args', ({ args, names }) => {
    expect(() => replaceSettings(args.split(' '))).toThrow(names);
  });
});

describe('sumOf', () => {
  const passed: StepReport = {
    step: 'a',
    problems: [],
    seconds: 1,
    traffic: { connections: 10, lost: 0, longestGapMs: 5 },
  };
  const failed: StepReport = {
    ...passed,
    step: 'b',
    problems: ['lost 1 SYNs'],
    traffic: { connections: 9, lost: 1, longestGapMs: 1005 },
  };

  test('passes where every step did', () => {
    expect(sumOf([{ name: 'n', steps: [passed] }])).toBe('PASS: 1 of 1 steps; 10 connections, 0 lost');
  });

  test.each<{ what: string; nodes: readonly NodeReport[] }>([
    { what: 'a step failed', nodes: [{ name: 'n', steps: [passed, failed] }] },
    { what: 'steps are missing', nodes: [{ name: 'n', steps: [passed], fault: 'did not boot' }] },
    { what: 'no step was reached', nodes: [{ name: 'n', steps: [] }] },
    { what: 'there is no node', nodes: [] },
  ])('fails where $what', ({ nodes }) => {
    expect(sumOf(nodes)).toMatch(/^FAIL: /);
  });
});
