#!/usr/bin/env node
/**
 * @module The program as npm installs it, `proxyconfig` and `kubectl-proxyconfig`: src/main.ts, or where this Node is too
 * old for that, one line with the remedy and exit status 1. Plain JavaScript, because every Node must be able to read it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const oldest = Number(/\d+/.exec(engines.node)[0]);

if (Number(process.versions.node.split('.')[0]) < oldest) {
  const own = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));
  console.error(
    `proxyconfig: needs Node ${oldest} or newer, and this is ${process.versions.node}: ` +
      `install a newer one, or put the one of npm run setup first: PATH=${own}:$PATH`,
  );
  process.exit(1);
}
await import('./main.ts');
