import { describe, expect, test } from '@jest/globals';
import { builtIn, type DesiredConfig } from '../../src/agent/config/desiredConfig.ts';
import {
  type FailedSwitch,
  nextStep,
  phaseAfterResync,
  retryFailedSwitchMs,
  type Step,
  type SwitchPhase,
} from '../../src/agent/dataplane/modeSwitch.ts';
import type { ProxyMode } from '../../src/api/nodeConfig.ts';

function desire(mode: ProxyMode, revision: string): DesiredConfig {
  return { source: 'NodeProxy', revision, config: { ...builtIn().config, mode } };
}

const r1 = desire('iptables', 'r1');
const r2 = desire('ipvs', 'r2');
const why = { reason: 'ProbeFailed', message: 'no connection' };
const serving: SwitchPhase = { phase: 'Serving', config: r1 };
const probing: SwitchPhase = { phase: 'Probing', config: r2, before: r1 };
const probeFailed: SwitchPhase = { ...probing, probeFailure: why };
const failed: FailedSwitch = { config: r2, why: { reason: 'ModeSwitchFailed', message: 'tried' }, failedAt: 1000 };
const failedAgo = (afterMs: number): FailedSwitch & { now: number } => ({ ...failed, now: failed.failedAt + afterMs });

const cases: {
  name: string;
  now: SwitchPhase;
  desired: DesiredConfig;
  failed?: FailedSwitch & { now: number };
  expected: Partial<Step>;
}[] = [
  { name: 'nothing runs yet', now: { phase: 'Idle' }, desired: r1, expected: { kind: 'start' } },
  { name: 'the same again', now: serving, desired: r1, expected: { kind: 'keep' } },
  { name: 'other settings', now: serving, desired: desire('iptables', 'r3'), expected: { kind: 'resync' } },
  { name: 'another mode', now: serving, desired: r2, expected: { kind: 'switch', from: r1 } },
  {
    name: 'another mode while one is probed: that one serves now',
    now: probing,
    desired: desire('iptables', 'r3'),
    expected: { kind: 'switch', from: r2 },
  },
  { name: 'the same while it is probed', now: probing, desired: r2, expected: { kind: 'keep' } },
  {
    name: 'the same after its probe failed',
    now: probeFailed,
    desired: r2,
    expected: {
      kind: 'rollBack',
      to: r1,
      why: { reason: 'ModeSwitchFailed', message: expect.stringContaining('ProbeFailed') as unknown as string },
    },
  },
  {
    name: 'something else after the probe failed',
    now: probeFailed,
    desired: desire('iptables', 'r3'),
    expected: { kind: 'switch', from: r2 },
  },
  {
    name: 'other settings of the mode whose probe failed',
    now: probeFailed,
    desired: desire('ipvs', 'r3'),
    expected: { kind: 'resync' },
  },
  {
    name: 'one that failed a minute ago',
    now: serving,
    desired: r2,
    failed: failedAgo(60_000),
    expected: { kind: 'refuse', why: failed.why },
  },
  {
    name: 'one that failed long ago',
    now: serving,
    desired: r2,
    failed: failedAgo(retryFailedSwitchMs),
    expected: { kind: 'switch' },
  },
  {
    name: 'another revision of the mode that failed',
    now: serving,
    desired: desire('ipvs', 'r3'),
    failed: failedAgo(1),
    expected: { kind: 'switch' },
  },
];

describe('nextStep', () => {
  test.each(cases)('decides on $name', ({ now, desired, failed: before, expected }) => {
    expect(nextStep(now, desired, before)).toMatchObject(expected);
  });
});

describe('phaseAfterResync', () => {
  test('keeps open whether a new mode works here', () => {
    const r3 = desire('ipvs', 'r3');
    expect(phaseAfterResync(probeFailed, r3)).toEqual({ phase: 'Probing', config: r3, before: r1 });
    expect(phaseAfterResync(serving, r3)).toEqual({ phase: 'Serving', config: r3 });
  });
});
