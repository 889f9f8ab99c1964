/**
 * When what no longer serves is removed, and what is said meanwhile; with leftovers that only record what is asked of
 * them. On the real kernel: `test/faults/leftovers.test.ts`.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { LeftoversRemoval } from '../../src/agent/dataplane/leftoversRemoval.ts';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import type { DrainRequest, DrainResult, Leftovers } from '../../src/backend/backend.ts';
import { toolMissing } from '../../src/netfilter/errors.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';

/** Chains of a proxy of before. */
class Chains implements Leftovers {
  readonly of = 'mode iptables';
  readonly family = 'ipv4';
  names: string[] = ['legacy chain KUBE-SERVICES of table nat'];
  failing = false;
  /** A proxy writes them again at once. */
  areWrittenAgain = false;
  dryRuns = 0;
  removals = 0;

  readonly remove = ({ isDryRun = false }: DrainRequest): Promise<DrainResult> => {
    if (isDryRun) this.dryRuns += 1;
    else this.removals += 1;
    if (this.failing) return Promise.reject(toolMissing('iptables-restore is', 'iptables'));
    const removed = [...this.names];
    if (!isDryRun && !this.areWrittenAgain) this.names = [];
    return Promise.resolve({ removed, draining: 0 });
  };
}

const migration = { ...builtIn().config.migration, drainTimeoutSeconds: 0 };

describe('LeftoversRemoval', () => {
  let removal: LeftoversRemoval;
  let running: string | undefined;
  let changes = 0;
  afterEach(() => removal.stop());

  function start(...leftovers: readonly Leftovers[]): void {
    running = undefined;
    changes = 0;
    removal = new LeftoversRemoval({
      logger: silentLogger,
      onStatusChange: () => void (changes += 1),
      findOtherProxy: () => Promise.resolve(running),
      timing: { settleMs: 1, pollMs: 5, retryMs: 5, recheckMs: [20, 20] },
    });
    removal.start(leftovers, migration);
  }

  test('removes, looks whether it came back, and then lets be', async () => {
    const chains = new Chains();
    start(chains);
    await until('they are removed', () => removal.isDone);
    expect(chains.names).toEqual([]);
    await until('it looked twice more', () => chains.removals === 3);
    expect(removal.conditions).toEqual([]);
    // What comes later is another's affair.
    chains.names = ['legacy chain KUBE-SERVICES of table nat'];
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(chains.removals).toBe(3);
    expect(changes).toBe(0);
  });

  test('does not look again where nothing was left', async () => {
    const chains = new Chains();
    chains.names = [];
    start(chains);
    await until('it looked', () => removal.isDone);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(chains.removals).toBe(1);
  });

  test('tries again what could not be removed, and says so meanwhile', async () => {
    const chains = new Chains();
    const others = new Chains();
    start(chains, others);
    chains.failing = true;
    await until('it is said', () => removal.conditions.length > 0);
    expect(removal.conditions).toMatchObject([
      { type: 'OldModeRemoved', status: 'False', reason: 'RemovalFailed', message: expect.stringContaining('package') },
    ]);
    expect(others.names).toEqual([]);
    expect(removal.isDone).toBe(false);
    chains.failing = false;
    await until('it is gone', () => removal.isDone);
    expect(removal.conditions).toEqual([]);
  });

  test('removes nothing while another proxy runs, and says what stands, if anything does', async () => {
    const chains = new Chains();
    start(chains);
    running = 'it listens on port 10256';
    await until('it is said', () => removal.conditions.length > 0);
    const [condition] = removal.conditions;
    expect(condition).toMatchObject({ type: 'OldModeRemoved', status: 'False', reason: 'OtherProxyRuns' });
    expect(condition?.message).toContain('(it listens on port 10256)');
    expect(condition?.message.length).toBeLessThanOrEqual(256);
    const { names } = chains;
    chains.names = [];
    await until('it is said no more', () => removal.conditions.length === 0);
    chains.names = names;
    running = undefined;
    await until('they are removed when it has ended', () => removal.isDone);
    expect(chains).toMatchObject({ names: [], removals: 1 });
  });

  test('knows a proxy that is not seen by what comes back, until that is gone for good', async () => {
    const chains = new Chains();
    start(chains);
    await until('they are removed', () => removal.isDone);
    chains.names = ['legacy chain KUBE-SERVICES of table nat', 'legacy chain KUBE-SVC-X of table nat'];
    chains.areWrittenAgain = true;
    await until('it is said', () => removal.conditions[0]?.reason === 'OtherProxyRuns');
    expect(removal.conditions[0]?.message).toMatch(/objects: 2, such as .* came back after it had been removed/);
    await until('it is tried again, however often it was looked at', () => chains.removals > 6);
    expect(removal.isDone).toBe(false);
    chains.areWrittenAgain = false;
    await until('it is over', () => removal.isDone && removal.conditions.length === 0);
  });

  test('takes other names for no proxy that runs: they were not there before', async () => {
    const chains = new Chains();
    start(chains);
    await until('they are removed', () => removal.isDone);
    chains.names = ['legacy chain KUBE-FORWARD of table filter'];
    await until('these are removed, too', () => chains.names.length === 0);
    expect(changes).toBe(0);
  });
});
