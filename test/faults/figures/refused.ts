/** A new Service beside 1,000 of which the kernel refuses every second one. */
import { RefusingNode, serviceCount } from '../refusingNode.ts';
import type { Figures, Load } from './figures.ts';

export const refused: Load = {
  name: 'refused',
  description: `a new Service beside ${serviceCount} others, of which the kernel refuses ${serviceCount / 2}`,
  measure,
};

async function measure(isLoaded: boolean, tell: (line: string) => void): Promise<Figures> {
  const node = new RefusingNode((index) => isLoaded && index % 2 === 0);
  try {
    await node.untilSomeServed();
    tell('some are served; a new Service is added');
    const began = performance.now();
    const inForce = await node.addNeighbor(120_000);
    tell('it is in force; waiting until all that are refused are found');
    await node.untilAllFound();
    const { quarantined = [], services = 0 } = node.loop.status.result ?? {};
    return {
      'a new Service is in force after': `${Math.round(inForce)} ms`,
      'all that are refused are found after': isLoaded ? `${Math.round(performance.now() - began)} ms` : '-',
      'Services served': String(services),
      'Services left out': String(quarantined.length),
    };
  } finally {
    await node.close();
  }
}
