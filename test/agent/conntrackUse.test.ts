import { afterEach, describe, expect, test } from '@jest/globals';
import { ConntrackUse } from '../../src/agent/conntrack/conntrackUse.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { sysctls } from '../../src/system/sysctl.ts';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { createEmptyNode } from '../support/network.ts';
import { silentLogger } from '../support/silentLogger.ts';

let use: ConntrackUse | undefined;
afterEach(() => use?.stop());

describe('ConntrackUse', () => {
  const rows = [
    { name: 'there is room', counts: [799], expected: [[]] },
    { name: 'nearly full', counts: [800], expected: [['NearlyFull']] },
    { name: 'full, and emptied', counts: [1000, 750, 749], expected: [['NearlyFull'], ['NearlyFull'], []] },
    { name: 'no limit', counts: [800], limit: 0, expected: [[]] },
    { name: 'no table', counts: [undefined], expected: [[]] },
  ];
  test.each(rows)('warns as it should: $name', async ({ counts, limit = 1000, expected }) => {
    const reasons: string[][] = [];
    let [readings, statusChanges] = [0, 0];
    const read = (names: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> => {
      // What the last reading led to.
      if (readings > 0) reasons.push(use?.conditions().map(({ reason }) => reason) ?? []);
      const count = counts[readings];
      readings += 1;
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
      onStatusChange: () => void (statusChanges += 1),
      periodMs: 5,
    });
    use.start();
    await until('it has read all', () => reasons.length >= counts.length);
    expect(reasons.slice(0, counts.length)).toEqual(expected);
    const all = [[], ...expected].map((each) => each.length);
    expect(statusChanges).toBe(all.filter((each, index) => index > 0 && each !== all[index - 1]).length);
  });
});

describeWhere(['root'], 'ConntrackUse on a kernel', () => {
  test('measures the connection tracking table', async () => {
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
