/** @module `npm run faults -- NAME`: figures of an agent or operator without and with a load, side by side. */
import { sideBySide } from './figures.ts';
import { loads } from './loads.ts';

const [name, ...rest] = process.argv.slice(2);
const load = loads.find((each) => each.name === name);
if (load === undefined || rest.length > 0) {
  const known = loads.map((each) => `  ${each.name.padEnd(20)}${each.description}`);
  console.error(['usage: npm run faults -- NAME, as root, with NAME one of', ...known].join('\n'));
  process.exit(2);
}
console.error(`${load.name}: ${load.description}`);
const teller =
  (which: string) =>
  (line: string): void =>
    console.error(`${which}: ${line}`);
const without = await load.measure(false, teller('without'));
console.log(sideBySide(without, await load.measure(true, teller('with'))));
