/**
 * What the agent keeps running beside its syncs, where nft or the listener dies: in a network namespace of its own, with
 * stand-ins that end themselves. Under an agent: `test/faults/dyingTools.test.ts`.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import type { NodeConditionNow } from '../../src/api/nodeConditions.ts';
import { describeWhere } from '../support/requirements.ts';

interface Step {
  readonly conditions: readonly NodeConditionNow[];
  readonly tables: readonly string[];
}

const source = path.resolve('src/agent/kernel/flushMonitor.ts');
const untilBoth = "await until(() => types() === 'ConntrackAnchor,FlushMonitor');";

/** A stand-in that ends itself where its arguments are of a pattern, and else is the program; counts its runs. */
const dyingAt = (pattern: string, program: string): string =>
  `#!/bin/sh\necho >>"$0.runs"\ncase "$*" in ${pattern}) kill -SEGV $$ ;; esac\nexec ${program} "$@"\n`;

/** By name; where each is. */
const programs = { nft: '/usr/sbin/nft', setpriv: '/usr/bin/setpriv' } as const;
/** For which arguments each dies. */
type Dying = Partial<Record<keyof typeof programs, string>>;
const both: Dying = { nft: '*', setpriv: '*' };

/** Starts the monitor, runs `steps`, which may wait for conditions and set `isNftUsed`, and says what holds then. */
const script = (steps: string): string => `
  import { execFileSync } from 'node:child_process';
  import { readFileSync, rmSync } from 'node:fs';
  import { startFlushMonitor } from '${source}';
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const names = { tables: ['nat'], chains: [], shared: [] };
  let isNftUsed = true;
  const monitor = await startFlushMonitor(names, {
    logger, onLoss() {}, onStatusChange() {}, isNftUsed: () => isNftUsed,
  });
  const tables = () => execFileSync('/usr/sbin/nft', ['list', 'tables'], { encoding: 'utf8' }).trim().split('\\n');
  const types = () => monitor.conditions().map(({ type }) => type).join();
  const runs = (name) => { try { return readFileSync('/usr/local/sbin/' + name + '.runs', 'utf8').length; } catch { return 0; } };
  const until = async (condition) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  ${steps}
  console.log(JSON.stringify({ conditions: monitor.conditions(), tables: tables() }));
  await monitor.stop();`;

describeWhere(['root', 'iptables'], 'startFlushMonitor', () => {
  let standIns: string;
  beforeEach(async () => {
    standIns = await mkdtemp(path.join(tmpdir(), 'proxyconfig-stand-ins-'));
  });
  afterEach(() => rm(standIns, { recursive: true }));

  async function run(dying: Dying, steps: string): Promise<Step> {
    for (const [name, pattern] of Object.entries(dying)) {
      const file = path.join(standIns, name);
      await writeFile(file, dyingAt(pattern, programs[name as keyof typeof programs]), { mode: 0o755 });
    }
    const ownView = `mount --bind ${standIns} /usr/local/sbin; exec "$@"`;
    const { stdout } = await execa(
      'unshare',
      ['--net', '--mount', 'sh', '-ec', ownView, 'sh', process.execPath, '--input-type=module', '-e', script(steps)],
      { timeout: 60_000 },
    );
    return JSON.parse(stdout) as Step;
  }

  const anchors = ['ip', 'ip6'].flatMap((ip) => [
    `table ${ip} proxyconfig-anchor`,
    `table ${ip} proxyconfig-anchor-held`,
  ]);

  test('sets the anchor and listens, and has no condition', async () => {
    const { conditions, tables } = await run({}, "await until(() => tables().length === 4 && types() === '');");
    expect(conditions).toEqual([]);
    expect(tables.toSorted()).toEqual(anchors.toSorted());
  });

  test('names each that dies, with what that means, in a message that a status takes', async () => {
    const { conditions } = await run(both, untilBoth);
    expect(conditions).toMatchObject([
      { status: 'False', reason: 'ToolKilled', message: expect.stringMatching(/^nft died of SIGSEGV.* may stall/) },
      { status: 'False', reason: 'ToolKilled', message: expect.stringMatching(/^setpriv perl died.* periodic check/) },
    ]);
    for (const { message } of conditions) expect(message.length).toBeLessThanOrEqual(256);
  });

  test('says what it means that only what cannot be flushed is missing', async () => {
    const { conditions, tables } = await run({ nft: '-i' }, "await until(() => types() === 'ConntrackAnchor');");
    expect(conditions).toMatchObject([{ reason: 'ToolKilled', message: expect.stringContaining('all rules') }]);
    for (const { message } of conditions) expect(message.length).toBeLessThanOrEqual(256);
    expect(tables.toSorted()).toEqual(['table ip proxyconfig-anchor', 'table ip6 proxyconfig-anchor']);
  });

  test.each([
    { program: 'nft', type: 'ConntrackAnchor' },
    { program: 'setpriv', type: 'FlushMonitor' },
  ])('recovers by itself when $program is well', async ({ program, type }) => {
    const { conditions, tables } = await run(
      { [program]: '*' },
      `await until(() => types() === '${type}'); rmSync('/usr/local/sbin/${program}');
       await until(() => types() === '' && tables().length === 4);`,
    );
    expect(conditions).toEqual([]);
    expect(tables.toSorted()).toEqual(anchors.toSorted());
  });

  test('has no condition where no rule of ours is in nf_tables, and tries the anchor no more', async () => {
    const { conditions } = await run(both, `${untilBoth} isNftUsed = false; await until(() => runs('setpriv') >= 2);`);
    expect(conditions).toEqual([]);
    const runs = await readFile(path.join(standIns, 'nft.runs'), 'utf8');
    // One try, and two starts of what holds the other anchor; setpriv is started again after 5 s, and the anchor would
    // have been tried again after 1 s and after 3.
    expect(runs.length).toBeLessThanOrEqual(3);
  });
});
