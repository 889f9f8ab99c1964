import { afterEach, expect, test } from '@jest/globals';
import { ConntrackUse } from '../../src/agent/conntrackUse.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { sysctls } from '../../src/system/sysctl.ts';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { createEmptyNode } from '../support/network.ts';
import { silentLogger } from '../support/silentLogger.ts';

let use: ConntrackUse | undefined;
afterEach(() => use?.stop());

const rows = [
  { name: 'room enough', counts: [799], told: [[]] },
  { name: 'nearly full', counts: [800], told: [['NearlyFull']] },
  { name: 'full, and emptied', counts: [1000, 750, 749], told: [['NearlyFull'], ['NearlyFull'], []] },
  { name: 'no limit', counts: [800], limit: 0, told: [[]] },
  { name: 'no table', counts: [undefined], told: [[]] },
];
test.each(rows)('$name', async ({ counts, limit = 1000, told }) => {
  const said: string[][] = [];
  let [looks, news] = [0, 0];
  const read = (names: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> => {
    // What the last look left behind.
    if (looks > 0) said.push(use?.conditions().map(({ reason }) => reason) ?? []);
    const count = counts[looks];
    looks += 1;
    return Promise.resolve(
      count === undefined
        ? undefined
        : new Map(names.map((name) => [name, String(name.endsWith('count') ? count : limit)])),
    );
  };
  use = new ConntrackUse({
    sysctls: { read },
    metrics: createAgentMetrics(),
    logger: silentLogger,
    onStatusChange: () => void (news += 1),
    periodMs: 5,
  });
  use.start();
  await until('it has looked at all', () => said.length >= counts.length);
  expect(said.slice(0, counts.length)).toEqual(told);
  const all = [[], ...told].map((each) => each.length);
  expect(news).toBe(all.filter((each, index) => index > 0 && each !== all[index - 1]).length);
});

describeWhere(['root'], 'the table of the kernel', () => {
  test('is measured', async () => {
    const kernel = createEmptyNode();
    try {
      const metrics = createAgentMetrics();
      const insert =
        'for port in 1 2 3 4; do conntrack -I -p udp -s 10.2.0.1 -d 10.96.0.10 --sport $port --dport 53 -t 600; done';
      await kernel.runOnNode({ file: '/bin/sh', args: ['-ec', insert], timeoutMs: 10_000 });
      const limit = Number(
        await kernel.runOnNode({
          file: '/bin/cat',
          args: ['/proc/sys/net/netfilter/nf_conntrack_max'],
          timeoutMs: 10_000,
        }),
      );
      use = new ConntrackUse({
        sysctls: sysctls({ run: kernel.runOnNode }),
        metrics,
        logger: silentLogger,
        onStatusChange: () => undefined,
      });
      use.start();
      await until('it is measured', async () => ((await metrics.conntrackUsed.get()).values[0]?.value ?? 0) > 0);
      expect((await metrics.conntrackUsed.get()).values[0]?.value).toBe(4 / limit);
    } finally {
      await use?.stop();
      await kernel.close();
    }
  });
});
