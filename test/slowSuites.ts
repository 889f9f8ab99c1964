/** @module The suites that take longest. test/README.md says how these figures were measured. */

export interface Suite {
  readonly name: string;
  /** Alone on a machine of two processors. */
  readonly seconds: number;
  /** Of these, the time of a processor, over all its processes. */
  readonly cpuSeconds: number;
}

export const slowSuites: readonly Suite[] = [
  { name: 'test/e2e/cluster.test.ts', seconds: 114, cpuSeconds: 33 },
  { name: 'test/faults/brokenTools.test.ts', seconds: 115, cpuSeconds: 27 },
  { name: 'test/operator/clockSkew.test.ts', seconds: 113, cpuSeconds: 26 },
  { name: 'test/uml/modeChange.test.ts', seconds: 110, cpuSeconds: 100 },
  { name: 'test/uml/ipvs.test.ts', seconds: 109, cpuSeconds: 95 },
  { name: 'test/e2e/install.test.ts', seconds: 99, cpuSeconds: 44 },
  { name: 'test/backend/ipvs/kernel.test.ts', seconds: 95, cpuSeconds: 90 },
  { name: 'test/scenarios/kubeProxy.test.ts', seconds: 60, cpuSeconds: 29 },
  { name: 'test/agent/agent.test.ts', seconds: 55, cpuSeconds: 25 },
  { name: 'test/uml/kubeProxy.test.ts', seconds: 52, cpuSeconds: 45 },
  { name: 'test/operator/frozenLeader.test.ts', seconds: 48, cpuSeconds: 13 },
  { name: 'test/faults/agent.test.ts', seconds: 47, cpuSeconds: 16 },
  { name: 'test/uml/iptables.test.ts', seconds: 46, cpuSeconds: 40 },
  { name: 'test/install/components.test.ts', seconds: 40, cpuSeconds: 21 },
  { name: 'test/operator/faults.test.ts', seconds: 38, cpuSeconds: 18 },
  { name: 'test/cli/status.test.ts', seconds: 35, cpuSeconds: 20 },
  { name: 'test/faults/manyServices.test.ts', seconds: 33, cpuSeconds: 29 },
  { name: 'test/operator/leader.test.ts', seconds: 32, cpuSeconds: 8 },
  { name: 'test/backend/iptables/kernel.test.ts', seconds: 28, cpuSeconds: 21 },
  { name: 'test/scenarios/iptables.test.ts', seconds: 25, cpuSeconds: 14 },
  { name: 'test/scenarios/distribution.test.ts', seconds: 20, cpuSeconds: 14 },
];
