/**
 * The kernel's tools under faults: a lock that another program holds, a monitor that cannot run, a flushed table in the
 * legacy variant.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import type { SyncListener } from '../../src/agent/dataplane/syncListener.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { runCommand, type RunCommand } from '../../src/system/command.ts';
import { keepRunning } from '../../src/system/longRunning.ts';
import { lossesIn } from '../../src/netfilter/nft/tools/monitor.ts';
import { manyServices, state } from '../backend/iptables/services.ts';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { silentLogger } from '../support/silentLogger.ts';

describeWhere(['root', 'iptables'], 'SyncLoop with iptables-legacy', () => {
  let holder: ChildProcess;
  let run: RunCommand;
  let backend: Backend;
  let loop: SyncLoop | undefined;
  const events: string[] = [];
  const config = {
    iptables: { backend: 'Legacy' as const },
    drift: { policy: 'Enforce' as const, checkPeriodSeconds: 1 },
  };
  const listener: SyncListener = {
    onSuccess: () => void events.push('synced'),
    onFailure: (_loop, { error }) => void events.push(error.reason),
    onDrift: () => void events.push('drift'),
  };

  beforeEach(async () => {
    holder = spawn('unshare', ['--net', '--mount', 'sh', '-c', 'mount -t tmpfs none /run && echo up && exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (holder.stdout !== null) await once(holder.stdout, 'data');
    run = (command) =>
      runCommand({
        ...command,
        file: '/usr/bin/nsenter',
        args: ['-t', String(holder.pid), '-n', '-m', command.file, ...command.args],
      });
    backend = createBackend('iptables', 'ipv4', { run });
    events.length = 0;
  });
  afterEach(async () => {
    await loop?.stop(0);
    loop = undefined;
    holder.kill('SIGKILL');
  });

  function start(): void {
    loop = new SyncLoop({
      family: 'ipv4',
      backend,
      state: () => state(manyServices(5), config),
      listeners: [listener],
      logger: silentLogger,
    });
    loop.start();
  }

  test('fails while another program holds the lock, leaves out no Service, and syncs when the lock is free', async () => {
    const lock = spawn(
      'nsenter',
      ['-t', String(holder.pid), '-n', '-m', 'flock', '/run/xtables.lock', 'sh', '-c', 'echo held; exec cat'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    await once(lock.stdout, 'data');
    start();
    await until('the sync has failed', () => events.length > 0, 20_000);
    lock.stdin.end();
    await until('it has synced', () => events.includes('synced'), 20_000);
    expect(events[0]).toBe('LockHeld');
    expect(loop?.status.result).toMatchObject({ services: 5, quarantined: [] });
  }, 60_000);

  test('repairs a flushed table by the periodic check', async () => {
    start();
    await until('it has synced', () => events.includes('synced'), 20_000);
    await run({ file: '/usr/sbin/iptables-legacy', args: ['-t', 'nat', '-F'], timeoutMs: 10_000 });
    const started = performance.now();
    await until('it is repaired', () => events.filter((each) => each === 'synced').length > 1, 10_000);
    expect(events).toContain('drift');
    expect(await backend.findDrift(new AbortController().signal)).toBeUndefined();
    process.stdout.write(
      `iptables-legacy -t nat -F was repaired after ${Math.round(performance.now() - started)} ms, checked every second\n`,
    );
  }, 60_000);
});

const names = {
  tables: ['filter', 'nat', 'proxyconfig-anchor'],
  chains: ['KUBE-PROXY-CANARY'],
  shared: ['nat PREROUTING', 'filter INPUT'],
};

describe('lossesIn', () => {
  test.each([
    { line: 'delete rule ip nat KUBE-PROXY-CANARY handle 7', families: ['ipv4'] },
    { line: 'delete chain ip6 filter KUBE-PROXY-CANARY', families: ['ipv6'] },
    { line: 'delete table ip nat', families: ['ipv4'] },
    { line: 'delete table ip6 nat', families: ['ipv6'] },
    { line: 'delete table ip proxyconfig-anchor', families: ['ipv4'] },
    { line: 'delete rule ip nat PREROUTING ', families: ['ipv4'], mayBeOthers: true },
    { line: 'delete rule ip6 filter INPUT ', families: ['ipv6'], mayBeOthers: true },
    { line: 'delete rule ip mangle PREROUTING ', families: [] },
    { line: 'delete chain ip nat PREROUTING', families: [] },
    { line: 'delete rule ip nat KUBE-SERVICES handle 9', families: [] },
    { line: 'delete table ip others', families: [] },
    { line: 'delete table ip nat-of-others', families: [] },
    { line: 'overrun', families: ['ipv4', 'ipv6'] },
  ])('reads: $line', ({ line, families, mayBeOthers = false }) => {
    expect(lossesIn(line, names)).toEqual(families.map((family) => ({ family, mayBeOthers })));
  });
});

/**
 * The first `count` families that the monitor reports for a script, in a network namespace of its own. The monitor is
 * stopped meanwhile, so that it reads all events afterwards.
 */
async function firstReported(count: number, disturb: string, options = ''): Promise<readonly string[]> {
  const file = join(import.meta.dirname, '..', '..', 'src', 'netfilter', 'nft', 'tools', 'monitor.ts');
  const listen = `
    import { watchForLosses } from ${JSON.stringify(file)};
    let reported = 0;
    const onLoss = ({ family }) => console.log(family) ?? (++reported === ${count} && process.exit());
    watchForLosses({ names: ${JSON.stringify(names)}, onLoss, onEnd: ({ message }) => console.log(message), ${options} });`;
  // The process that has a socket in the multicast group of nftables: a socket's port id is its process id.
  const listener = `awk '$2 == 12 && $4 == "00000040" { print $3 }' /proc/net/netlink`;
  const script = `
    "$0" --input-type=module -e "$1" &
    until listener=$(${listener}); [ -n "$listener" ]; do sleep 0.01; done
    kill -STOP $listener; ${disturb}; kill -CONT $listener; wait`;
  const output = await runCommand({
    file: '/usr/bin/unshare',
    args: ['--net', 'sh', '-c', script, process.execPath, listen],
    timeoutMs: 30_000,
  });
  return output.trim().split('\n');
}

describeWhere(['root', 'iptables'], 'watchForLosses on a kernel', () => {
  test('reports a flushed chain of the kernel that rules of ours stand in', async () => {
    const disturb = `
      iptables-nft -t nat -A POSTROUTING -j ACCEPT; iptables-nft -t nat -F POSTROUTING
      iptables-nft -t nat -A PREROUTING -j ACCEPT; iptables-nft -t nat -F PREROUTING
      ip6tables-nft -A INPUT -j ACCEPT; ip6tables-nft -F INPUT`;
    expect(await firstReported(2, disturb)).toEqual(['ipv4', 'ipv6']);
  }, 40_000);

  test('reports flushed rules, a deleted chain and a flushed ruleset', async () => {
    const disturb = `
      nft add table ip others; nft delete table ip others
      iptables-nft -t nat -N KUBE-PROXY-CANARY; iptables-nft -t nat -A KUBE-PROXY-CANARY -m comment --comment canary -j RETURN; iptables-nft -t nat -F
      ip6tables-nft -t filter -N KUBE-PROXY-CANARY; ip6tables-nft -t filter -X KUBE-PROXY-CANARY; nft flush ruleset`;
    expect(await firstReported(5, disturb)).toEqual(['ipv4', 'ipv6', 'ipv4', 'ipv4', 'ipv6']);
  }, 40_000);

  const manyRules = `{ echo 'add table ip others; add chain ip others many'; seq 3000 | sed 's/.*/add rule ip others many tcp dport & accept/'; } | nft -f -`;

  test('reports both families when changes of others overrun its buffer', async () => {
    expect(await firstReported(2, manyRules, 'bufferBytes: 4096')).toEqual(['ipv4', 'ipv6']);
  }, 40_000);

  test('reports nothing for changes of others that its buffer holds', async () => {
    expect(await firstReported(1, `${manyRules}; nft add table ip6 nat; nft delete table ip6 nat`)).toEqual(['ipv6']);
  }, 40_000);
});

describe('keepRunning', () => {
  test('starts a program again when it ends, gives it its input, and joins pieces of a line', async () => {
    const lines: string[] = [];
    const ends: string[] = [];
    const script = 'read word; printf "del"; sleep 0.05; printf "ete $word\\nsecond\\n"; exit 3';
    const running = keepRunning({
      program: 'sh',
      args: ['-c', script],
      input: 'this\n',
      onLine: (line) => lines.push(line),
      onEnd: ({ message }) => ends.push(message),
      minRetryMs: 10,
    });
    await until('it has run twice', () => ends.length >= 2);
    await running.stop();
    const numberOfEnds = ends.length;
    expect(lines.slice(0, 4)).toEqual(['delete this', 'second', 'delete this', 'second']);
    expect(ends[0]).toBe('sh ended with exit code 3');
    expect(ends).toHaveLength(numberOfEnds);
  });

  test('reports a program that is not installed, and tries again', async () => {
    const ends: string[] = [];
    const running = keepRunning({
      program: 'no-such-program',
      args: [],
      onEnd: ({ message }) => ends.push(message),
      minRetryMs: 10,
    });
    await until('it was tried twice', () => ends.length >= 2);
    await running.stop();
    expect(ends[0]).toBe('no-such-program was not found');
  });
});
