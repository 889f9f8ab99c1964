/**
 * A table as tests, a test for each row and family, and the line that says how many ran.
 */
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Proxy } from '../uml/proxy.ts';
import { askTable } from './askTable.ts';
import type { Sightings } from './askTable.ts';
import { expectObservations } from './expectPackets.ts';
import type { Network } from '../support/network.ts';
import { createNetwork } from '../support/network.ts';
import type { Scenario } from './scenario.ts';

export interface TableRun {
  /** e.g. `this project, iptables Nft` */
  readonly proxyName: string;
  readonly scenarios: readonly Scenario[];
  readonly start: (network: Network) => Promise<Proxy>;
  /** After the table, with the proxy still there. */
  readonly further?: (network: () => Network, proxy: () => Proxy) => void;
}

const timeoutMs = 180_000;

export function describeTable({ proxyName, scenarios, start, further }: TableRun): void {
  let network: Network | undefined;
  let proxy: Proxy | undefined;
  let sightings: Sightings;
  const passed: Record<IPFamily, number> = { ipv4: 0, ipv6: 0 };

  beforeAll(async () => {
    network = await createNetwork();
    proxy = await start(network);
    sightings = await askTable(network, proxy, scenarios);
  }, timeoutMs);
  afterAll(async () => {
    await proxy?.end();
    await network?.close();
    const rows = scenarios.flatMap((scenario) => scenario.rows).length;
    process.stdout.write(
      `${proxyName}: ${ipFamilies.map((family) => `${family} ${passed[family]} of ${rows} rows`).join(', ')}\n`,
    );
  }, timeoutMs);

  describe.each(ipFamilies)('%s', (family) => {
    describe.each(scenarios)('$name', (scenario) => {
      test.each(scenario.rows)('$name', (row) => {
        expectObservations(row, family, sightings.of(family, scenario, row));
        passed[family] += 1;
      });
    });
  });
  further?.(
    () => network as Network,
    () => proxy as Proxy,
  );
}
