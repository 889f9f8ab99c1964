/**
 * Tools that are ended by a signal, as an nft is that cannot read what a newer one wrote: under an agent that serves,
 * by stand-ins that end themselves. Services go on, the node says which tool and what that means, and follows when the
 * tools are well again.
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { FaultNode, fewConnections, isWhole, servesExtraEndpoint } from './faultNode.ts';
import { expectFlowUnharmed, expectUnharmed } from './unharmed.ts';

type Condition = NonNullable<NonNullable<NodeProxy['status']>['conditions']>[number];

/** Where each program is; the stand-ins are found before these. */
const programs = {
  nft: '/usr/sbin/nft',
  setpriv: '/usr/bin/setpriv',
  'iptables-nft-restore': '/usr/sbin/iptables-nft-restore',
  'iptables-nft-save': '/usr/sbin/iptables-nft-save',
} as const;
type Program = keyof typeof programs;

/** `words`: a pattern of its message. */
interface Expected {
  readonly status: Condition['status'];
  readonly reason: string;
  readonly words: string;
}

const dead = (means: string): Expected => ({
  status: 'False',
  reason: 'ToolKilled',
  words: `died of SIGSEGV, .*newer.*${means}.*[^…]$`,
});

describeWhere(['root', 'cluster', 'iptables'], 'Agent with tools that are ended by a signal', () => {
  let node: FaultNode;
  let marks: string;
  const markOf = (program: Program): string => path.join(marks, program);
  const setDying = (program: Program): Promise<void> => writeFile(markOf(program), '');
  const setWell = (program: Program): Promise<void> => rm(markOf(program), { force: true });

  beforeAll(async () => {
    node = await FaultNode.start();
    marks = path.join(node.host.stateDirectory, 'marks');
    const standIns = path.join(node.host.stateDirectory, 'stand-ins');
    await Promise.all([mkdir(marks), mkdir(standIns)]);
    for (const [name, file] of Object.entries(programs)) {
      const standIn = path.join(standIns, name);
      await writeFile(standIn, `#!/bin/sh\n[ ! -e ${path.join(marks, name)} ] || kill -SEGV $$\nexec ${file} "$@"\n`);
      await chmod(standIn, 0o755);
    }
    await restart(standIns);
    await node.configure({ drift: { policy: 'Enforce', checkPeriodSeconds: 10 } });
  }, 150_000);
  afterEach(() => Promise.all((Object.keys(programs) as Program[]).map(setWell)));
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  /** The agent finds the stand-ins as /usr/local/sbin. */
  async function restart(standIns = path.join(node.host.stateDirectory, 'stand-ins')): Promise<void> {
    const ownView = `mount --bind ${standIns} /usr/local/sbin; exec "$@"`;
    await node.restart('SIGTERM', {
      wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', ownView, 'sh'],
    });
    await node.untilSynced();
  }

  async function condition(type: Condition['type']): Promise<Condition | undefined> {
    const conditions = JSON.parse(await node.status('{.status.conditions}')) as readonly Condition[];
    return conditions.find((each) => each.type === type);
  }

  async function untilCondition(type: Condition['type'], expected: Expected | undefined): Promise<void> {
    let last: Condition | undefined;
    const isSeen = async (): Promise<boolean> => {
      last = await condition(type);
      if (expected === undefined || last === undefined) return last === expected;
      const { status, reason, words } = expected;
      return last.status === status && last.reason === reason && new RegExp(words).test(last.message);
    };
    await until(`${type} is as expected`, isSeen, 90_000).catch((cause: unknown) => {
      throw new Error(`${JSON.stringify(last)}\n${node.agent.log().slice(-3000)}`, { cause });
    });
  }

  /** Of the agent's children, by a word of their command line. */
  async function killChild(word: string): Promise<void> {
    await node.host.run(['pkill', '-KILL', '--parent', String(node.agent.pid), '--full', word]);
  }

  const isReady = async (): Promise<boolean> => (await condition('Ready'))?.status === 'True';
  const hasAnchors = async (): Promise<boolean> => {
    const tables = (await node.host.run(['nft', 'list', 'tables'])).split('\n');
    return ['ip', 'ip6'].every((ip) =>
      ['proxyconfig-anchor', 'proxyconfig-anchor-held'].every((name) => tables.includes(`table ${ip} ${name}`)),
    );
  };

  test('starts and serves where nft dies; without the anchor the node says so, and sets it when nft is well', async () => {
    await setDying('nft');
    await node.host.run(['nft', 'delete', 'table', 'ip', 'proxyconfig-anchor']);
    await restart();
    await untilCondition('ConntrackAnchor', dead('connections may stall'));
    expect(await isReady()).toBe(true);
    expect(await condition('FlushMonitor')).toBeUndefined();
    const outcome = await node.underTraffic(async () => {
      await node.setExtraEndpoint(true);
      await node.host.untilRules('a change is followed', servesExtraEndpoint);
      await node.setExtraEndpoint(false);
      await node.host.untilRules('and the next', (rules) => !servesExtraEndpoint(rules));
      await setWell('nft');
      await untilCondition('ConntrackAnchor', undefined);
    });
    expectUnharmed(outcome);
    await until('both anchors are there', async () => hasAnchors().catch(() => false), 10_000);
  }, 240_000);

  test('says so where nobody listens for flushed rules, repairs them by the periodic check, and what was missed when somebody listens', async () => {
    await setDying('setpriv');
    await killChild('perl');
    await untilCondition('FlushMonitor', dead('periodic check alone'));
    expect(await isReady()).toBe(true);
    const outcome = await node.underTraffic(async () => {
      await node.host.run(['iptables', '-t', 'nat', '-F']);
      expect(isWhole(await node.host.rules())).toBe(false);
      const took = await node.host.untilRules('the rules are back', isWhole, 30_000);
      process.stdout.write(`without the flush monitor a flush was repaired after ${took} ms, checked every 10 s\n`);
      await node.configure({ drift: { policy: 'Enforce', checkPeriodSeconds: 300 } });
      await node.host.run(['iptables', '-t', 'nat', '-F']);
      expect(isWhole(await node.host.rules())).toBe(false);
      await setWell('setpriv');
      await node.host.untilRules('the rules are back as soon as somebody listens', isWhole, 90_000);
      await untilCondition('FlushMonitor', undefined);
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 240_000);

  /** The status shows the second failure in a row, the log the first. */
  test.each([
    {
      program: 'iptables-nft-restore' as const,
      isShown: () => untilCondition('Ready', dead("the product's image")),
    },
    {
      program: 'iptables-nft-save' as const,
      isShown: () => until('the log has it', () => node.agent.log().includes('iptables-save died of SIGSEGV'), 30_000),
    },
  ])(
    'leaves out no Service for a dying $program, and follows changes when it is well',
    async ({ program, isShown }) => {
      const outcome = await node.underTraffic(async () => {
        await setDying(program);
        // Has the tables read, and written.
        await node.host.run(['iptables', '-t', 'nat', '-D', 'PREROUTING', '1']);
        await node.setExtraEndpoint(true);
        await isShown();
        expect(await node.status('{.status.dataplane.quarantined}{.status.dataplane.quarantinedCount}')).toBe('0');
        await setWell(program);
        await node.host.untilRules('the change is followed', servesExtraEndpoint, 60_000);
      }, fewConnections);
      await node.setExtraEndpoint(false);
      await node.host.untilRules('and the next', (rules) => !servesExtraEndpoint(rules), 30_000);
      expect(await node.host.run(['iptables-legacy-save'])).not.toContain('KUBE-');
      expectFlowUnharmed(outcome);
    },
    120_000,
  );
});
