/**
 * Many Services that the kernel refuses: iptables-restore fails whenever its input holds an address of one of theirs.
 * Everybody else is served, and a new Service does not wait until all of them are found.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { CommandError, type RunCommand } from '../../src/system/command.ts';
import { createEmptyNode, type Network } from '../support/network.ts';
import { describeWhere } from '../support/requirements.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';
import { keysOf, manyServices, plainService, state } from '../backend/iptables/services.ts';

const count = 1000;
/** Every second one. */
const refused: ReadonlySet<string> = new Set(
  manyServices(count)
    .filter((_service, index) => index % 2 === 0)
    .map(({ clusterIP }) => clusterIP?.ipv4 ?? ''),
);
const addressOf = /-d (10\.96\.\d+\.\d+)\/32/g;

describeWhere(['root', 'iptables'], 'SyncLoop with 500 refused Services of 1,000', () => {
  let node: Pick<Network, 'runOnNode' | 'close'>;
  let loop: SyncLoop | undefined;

  beforeEach(() => {
    node = createEmptyNode();
  });
  afterEach(async () => {
    await loop?.stop(0);
    await node.close();
  });

  const refusing: RunCommand = (command) => {
    const input = command.input === undefined ? undefined : [...command.input].join('');
    for (const [, address = ''] of input?.matchAll(addressOf) ?? [])
      if (refused.has(address)) throw new CommandError('Failed', 'refused', { exitCode: 1, stderr: '' });
    return node.runOnNode({ ...command, ...(input !== undefined && { input: [input] }) });
  };

  async function serves(address: string): Promise<boolean> {
    let found = false;
    const onLine = (line: string): void => void (found ||= line.includes(`-d ${address}/32`));
    await node.runOnNode({ file: '/usr/sbin/iptables-nft-save', args: ['-t', 'nat'], onLine, timeoutMs: 30_000 });
    return found;
  }

  test('brings a new Service into force within 10 s, and finds all that are refused', async () => {
    let manifests = manyServices(count);
    loop = new SyncLoop({
      family: 'ipv4',
      backend: createBackend('iptables', 'ipv4', { run: async (command) => refusing(command) }),
      state: () => state(manifests, { iptables: { backend: 'Nft' } }),
      listeners: [],
      logger: silentLogger,
    });
    loop.start();
    const isOneIn = (): boolean => (loop?.status.result?.services ?? 0) > 0;
    await until('some are served', isOneIn, 30_000);
    const neighbor = plainService(count + 1);
    manifests = [...manifests, neighbor];
    const added = performance.now();
    for (const service of keysOf([neighbor])) loop.enqueue({ family: 'ipv4', service, kind: 'service' });
    const address = neighbor.clusterIP?.ipv4 ?? '';
    while (!(await serves(address))) expect(performance.now() - added).toBeLessThan(30_000);
    process.stdout.write(`a new Service was in force after ${Math.round(performance.now() - added)} ms\n`);
    await until('all are found', () => loop?.status.result?.untried === 0, 120_000);
    expect(loop.status.result).toMatchObject({ services: count / 2 + 1 });
    expect(loop.status.result?.quarantined).toHaveLength(count / 2);
    process.stdout.write(`all 500 were found after ${Math.round(performance.now() - added)} ms\n`);
  }, 180_000);
});
