/** Runs inside the kernel under test: every check of checks.ts. Prints a line of JSON for each. */
import { inspect } from 'node:util';
import type { Network } from '../../support/network.ts';
import { createNetwork } from '../../support/network.ts';
import { checks } from './checks.ts';
import { onEmptyNode } from './checks/node.ts';

let network: Promise<Network> | undefined;
const oneNetwork = (): Promise<Network> => (network ??= createNetwork());

for (const { name, run } of checks) {
  const failure = await onEmptyNode((node) => run(node, oneNetwork)).then(
    () => undefined,
    (error: unknown) => inspect(error),
  );
  process.stdout.write(`${JSON.stringify({ check: name, ...(failure !== undefined && { failure }) })}\n`);
}
await (await network)?.close();
