/**
 * Runs inside the kernel under test: the packet scenarios in one proxy mode. Prints what was seen of each row.
 *   node packets.ts MODE
 */
import { inspect } from 'node:util';
import type { ProxyMode } from '../../src/api/nodeConfig.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { createBackend } from '../../src/backend/registry.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Network } from '../scenarios/network.ts';
import { createNetwork } from '../scenarios/network.ts';
import { stateOf } from '../scenarios/objects.ts';
import { observe } from '../scenarios/observe.ts';
import type { Scenario } from '../scenarios/serviceTable.ts';
import { allScenariosIn } from './scenarios.ts';
import { print } from './report.ts';

/** A system call costs about ten times what it costs outside, and a machine that runs tests has other work. */
const slowness = 4;

interface Node {
  readonly mode: ProxyMode;
  readonly family: IPFamily;
  readonly network: Network;
  readonly backend: Backend;
}

async function run({ mode, family, network, backend }: Node, { name, objects, config, rows }: Scenario): Promise<void> {
  const state = stateOf(family, objects, { ...config, mode });
  await backend.sync({ state, changed: 'all', signal: new AbortController().signal });
  await Promise.all(rows.map(async (row) => print({ row: [family, name, row.name], seen: await observe(network, family, row, slowness) })));
}

async function runAll(mode: ProxyMode): Promise<void> {
  const network = await createNetwork({ sctp: true });
  for (const family of ipFamilies) {
    const backend = createBackend(mode, family, { run: network.runOnNode });
    for (const scenario of allScenariosIn(mode)) {
      await run({ mode, family, network, backend }, scenario).catch((error: unknown) => print({ scenario: [family, scenario.name], failure: inspect(error) }));
    }
  }
  await network.close();
}

await runAll(process.argv[2] as ProxyMode);
