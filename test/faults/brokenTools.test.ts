/**
 * The kernel's tools fail an agent that serves: they hang, fail, are gone, or wait for a lock that another program
 * holds. The old rules serve, the node says what is wrong, and follows when the tools are well again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { FaultNode, fewConnections, isWhole, servesExtraEndpoint } from './faultNode.ts';
import { expectFlowUnharmed, expectUnharmed } from './unharmed.ts';

function printLine(what: string): void {
  process.stdout.write(`${what}\n`);
}

describeWhere(['root', 'cluster', 'iptables'], 'Agent with broken tools', () => {
  let node: FaultNode;
  /** What the agent finds as /usr/sbin. */
  let programs: string;
  let tool: string;
  beforeAll(async () => {
    node = await FaultNode.start();
    programs = path.join(node.host.stateDirectory, 'sbin');
    tool = path.join(programs, 'xtables-nft-multi');
    await node.host.run([
      'sh',
      '-ec',
      `mkdir ${programs}; cp -a /usr/sbin/*tables* /usr/sbin/nft /usr/sbin/conntrack ${programs}; mv ${tool} ${tool}.real`,
    ]);
    await setTool('working');
    const ownView = `mount --bind ${programs} /usr/sbin; mount -t tmpfs none /run; exec "$@"`;
    await node.restart('SIGTERM', {
      wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', ownView, 'sh'],
    });
    await node.configure({});
    await node.untilSynced();
  }, 150_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  const scripts = { working: '', hanging: 'exec sleep 3601.5', failing: 'exit 1' };

  /** All programs of iptables are one; only those that load rules change. */
  async function setTool(what: keyof typeof scripts): Promise<void> {
    const script = `#!/bin/bash\ncase "$0 $*" in *save*|*--version*) ;; *restore*) ${scripts[what]} ;; esac\nexec -a "$0" ${tool.replace(programs, '/usr/sbin')}.real "$@"\n`;
    await writeFile(`${tool}.new`, script, { mode: 0o755 });
    // A program that is being run cannot be written.
    await rename(`${tool}.new`, tool);
  }

  /** Where the agent finds files, too. */
  function besideAgent(...command: readonly string[]): ChildProcess {
    return spawn('nsenter', ['-t', String(node.agent.pid), '-n', '-m', ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }

  const condition = (): Promise<string> =>
    node.status('{.status.state} {.status.conditions[?(@.type=="Ready")].reason}');

  interface Fault {
    readonly begin: () => Promise<void>;
    readonly reason: string;
    readonly end: () => Promise<void>;
    /** Reads the rules of the variant that the node uses. */
    readonly save?: string;
    /**
     * Where the fault is waited for: in the status, which shows the second failure in a row, or in the log, which shows
     * the first.
     */
    readonly shownIn?: 'status' | 'log';
  }

  async function expectChangeFollowedAfter({
    begin,
    reason,
    end,
    save = 'iptables-save',
    shownIn = 'status',
  }: Fault): Promise<void> {
    const rules = async (): Promise<string> => (await node.host.run([save])).replaceAll(/ \[\d+:\d+\]$|^#.*$/gm, '');
    const outcome = await node.underTraffic(async () => {
      const before = await rules();
      await begin();
      const started = performance.now();
      await node.setExtraEndpoint(true);
      const isShown = {
        status: async () => (await condition()) === `Degraded ${reason}`,
        log: async () => node.agent.log().includes(`"reason":"${reason}"`),
      };
      await until('the fault shows', isShown[shownIn], 120_000);
      printLine(`${reason} was shown after ${Math.round(performance.now() - started)} ms`);
      expect(await rules()).toBe(before);
      await end();
      await until('the change is followed', async () => servesExtraEndpoint(await rules()), 90_000);
      await until('the node is Ready', async () => (await condition()) === 'Ready Synced', 30_000);
    });
    await node.setExtraEndpoint(false);
    await until('the added endpoint is no longer served', async () => !servesExtraEndpoint(await rules()), 30_000);
    expectUnharmed(outcome);
  }

  test('serves while iptables-restore fails, and follows afterwards', async () => {
    await expectChangeFollowedAfter({
      begin: () => setTool('failing'),
      reason: 'ToolFailed',
      end: () => setTool('working'),
    });
  }, 300_000);

  test('serves while iptables-restore hangs, ends it after its time, and follows afterwards', async () => {
    await expectChangeFollowedAfter({
      begin: () => setTool('hanging'),
      reason: 'ToolTimedOut',
      end: () => setTool('working'),
      shownIn: 'log',
    });
    expect(await node.host.run(['ps', '-eo', 'args'])).not.toContain('\nsleep 3601.5');
  }, 300_000);

  test('serves while iptables-restore is gone, and follows afterwards', async () => {
    const restores = ['iptables-restore', 'iptables-nft-restore'].map((name) => path.join(programs, name));
    const begin = async (): Promise<void> =>
      void (await Promise.all(restores.map((file) => rename(file, `${file}.gone`))));
    const end = async (): Promise<void> =>
      void (await Promise.all(restores.map((file) => rename(`${file}.gone`, file))));
    await expectChangeFollowedAfter({ begin, reason: 'ToolMissing', end });
  }, 300_000);

  describe('in the legacy variant', () => {
    const save = 'iptables-legacy-save';
    beforeAll(async () => {
      await node.configure({ iptables: { backend: 'Legacy' }, drift: { policy: 'Enforce', checkPeriodSeconds: 10 } });
    }, 60_000);

    test('serves while another program holds the lock, and follows afterwards', async () => {
      let holder: ChildProcess | undefined;
      const begin = async (): Promise<void> => {
        holder = besideAgent('flock', '/run/xtables.lock', 'sh', '-c', 'echo held; exec cat');
        if (holder.stdout !== null) await once(holder.stdout, 'data');
      };
      const end = async (): Promise<void> => {
        holder?.stdin?.end();
        await Promise.resolve();
      };
      await expectChangeFollowedAfter({ begin, reason: 'LockHeld', end, save });
    }, 300_000);

    test('repairs a flushed nat table by the periodic check, and open flows go on', async () => {
      const outcome = await node.underTraffic(async () => {
        const flushed = performance.now();
        await once(besideAgent('iptables-legacy', '-t', 'nat', '-F'), 'exit');
        expect(isWhole(await node.host.run([save]))).toBe(false);
        await until('the rules are back', async () => isWhole(await node.host.run([save])), 30_000);
        printLine(
          `iptables-legacy -t nat -F was repaired after ${Math.round(performance.now() - flushed)} ms, checked every 10 s`,
        );
        await until('new connections are answered again', () => node.answers(), 30_000 - (performance.now() - flushed));
        printLine(`and a new connection answered after ${Math.round(performance.now() - flushed)} ms`);
      }, fewConnections);
      expectFlowUnharmed(outcome);
    }, 60_000);
  });
});
