/** @module The suites that take longest. test/README.md says how these figures were measured. */

export interface Suite {
  readonly name: string;
  /** Alone on a machine of two processors. */
  readonly seconds: number;
  /** Of these, the time of a processor, over all its processes. */
  readonly cpuSeconds: number;
}

export const slowSuites: readonly Suite[] = [
  { name: 'test/uml/modeChange.test.ts', seconds: 214, cpuSeconds: 143 },
  { name: 'test/backend/ipvs/kernel.test.ts', seconds: 134, cpuSeconds: 115 },
  { name: 'test/faults/brokenTools.test.ts', seconds: 115, cpuSeconds: 27 },
  { name: 'test/operator/clockSkew.test.ts', seconds: 113, cpuSeconds: 22 },
  { name: 'test/e2e/cluster.test.ts', seconds: 101, cpuSeconds: 32 },
  { name: 'test/uml/ipvs.test.ts', seconds: 101, cpuSeconds: 95 },
  { name: 'test/e2e/install.test.ts', seconds: 99, cpuSeconds: 44 },
  { name: 'test/agent/agent.test.ts', seconds: 55, cpuSeconds: 26 },
  { name: 'test/uml/iptables.test.ts', seconds: 48, cpuSeconds: 31 },
  { name: 'test/faults/agent.test.ts', seconds: 45, cpuSeconds: 14 },
  { name: 'test/operator/frozenLeader.test.ts', seconds: 43, cpuSeconds: 9 },
  { name: 'test/operator/faults.test.ts', seconds: 34, cpuSeconds: 14 },
  { name: 'test/uml/kubeProxy.test.ts', seconds: 31, cpuSeconds: 30 },
  { name: 'test/scenarios/kubeProxy.test.ts', seconds: 31, cpuSeconds: 23 },
  { name: 'test/operator/leader.test.ts', seconds: 30, cpuSeconds: 8 },
  { name: 'test/faults/manyServices.test.ts', seconds: 29, cpuSeconds: 19 },
  { name: 'test/cli/status.test.ts', seconds: 27, cpuSeconds: 16 },
  { name: 'test/backend/iptables/kernel.test.ts', seconds: 25, cpuSeconds: 15 },
  { name: 'test/scenarios/iptables.test.ts', seconds: 20, cpuSeconds: 14 },
  { name: 'test/scenarios/distribution.test.ts', seconds: 18, cpuSeconds: 14 },
  { name: 'test/install/components.test.ts', seconds: 18, cpuSeconds: 16 },
];
