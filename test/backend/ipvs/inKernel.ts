/** Runs inside the kernel under test: every check of checks.ts. Prints a line of JSON for each. */
import { inspect } from 'node:util';
import { checks, onEmptyNode } from './checks.ts';

for (const { name, run } of checks) {
  const failure = await onEmptyNode(run).then(
    () => undefined,
    (error: unknown) => inspect(error),
  );
  process.stdout.write(`${JSON.stringify({ check: name, ...(failure !== undefined && { failure }) })}\n`);
}
