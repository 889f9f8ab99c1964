/**
 * Many Services that the kernel refuses: everybody else is served, and a new Service does not wait until all of them
 * are found.
 */
import { afterEach, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { RefusingNode, serviceCount } from './refusingNode.ts';

describeWhere(['root', 'iptables'], 'SyncLoop with 500 refused Services of 1,000', () => {
  let node: RefusingNode | undefined;
  afterEach(() => node?.close());

  test('brings a new Service into force within 10 s, and finds all that are refused', async () => {
    node = new RefusingNode((index) => index % 2 === 0);
    await node.untilSomeServed();
    const began = performance.now();
    process.stdout.write(`a new Service was in force after ${Math.round(await node.addNeighbor(30_000))} ms\n`);
    await node.untilAllFound();
    process.stdout.write(`all 500 were found after ${Math.round(performance.now() - began)} ms\n`);
    expect(node.loop.status.result).toMatchObject({ services: serviceCount / 2 + 1 });
    expect(node.loop.status.result?.quarantined).toHaveLength(serviceCount / 2);
  }, 180_000);
});
