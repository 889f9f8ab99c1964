/**
 * @module Nodes of the simulated cluster that come and go, while everybody else does what is due.
 */
import type { SimulatedCluster } from './simulatedCluster.ts';

/** A node goes out of reach and comes back, so many times, for so long each. */
export function flip(cluster: SimulatedCluster, index: number, times: number, seconds: number): void {
  for (let time = 0; time < 2 * times; time += 1) {
    cluster.setDown(index, time % 2 === 0);
    cluster.run(seconds);
  }
}

/** A node is made, is there for so long, and is deleted; so many times. */
export function comeAndGo(cluster: SimulatedCluster, times: number, seconds: number): void {
  for (let time = 0; time < times; time += 1) {
    cluster.addNode();
    cluster.run(seconds);
    cluster.deleteNode(cluster.nodes.size - 1);
  }
}
