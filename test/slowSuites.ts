/** @module The suites that take longest. test/README.md says how these figures were measured. */

export interface Suite {
  readonly name: string;
  /** In a run of everything, three suites at a time on two processors; test/README.md says which were measured otherwise. */
  readonly seconds: number;
  /** Most of that time a processor works for it; else it waits. */
  readonly computes: boolean;
}

export const slowSuites: readonly Suite[] = [
  { name: 'test/uml/modeChange.test.ts', seconds: 226, computes: true },
  { name: 'test/e2e/installIPv6.test.ts', seconds: 132, computes: false },
  { name: 'test/bench/kubeProxy.test.ts', seconds: 128, computes: false },
  { name: 'test/faults/brokenTools.test.ts', seconds: 126, computes: false },
  { name: 'test/operator/clockSkew.test.ts', seconds: 116, computes: false },
  { name: 'test/e2e/install.test.ts', seconds: 107, computes: false },
  { name: 'test/faults/leftovers.test.ts', seconds: 105, computes: false },
  { name: 'test/uml/ipvs.test.ts', seconds: 102, computes: true },
  { name: 'test/e2e/cluster.test.ts', seconds: 95, computes: false },
  { name: 'test/faults/dyingTools.test.ts', seconds: 90, computes: false },
  { name: 'test/faults/heldPorts.test.ts', seconds: 75, computes: false },
  { name: 'test/userland/imageTools.test.ts', seconds: 75, computes: true },
  { name: 'test/agent/agent.test.ts', seconds: 70, computes: false },
  { name: 'test/backend/ipvs/kernel.test.ts', seconds: 67, computes: true },
  { name: 'test/faults/nodeChanges.test.ts', seconds: 64, computes: false },
  { name: 'test/e2e/hostAgents.test.ts', seconds: 52, computes: false },
  { name: 'test/userland/newerTable.test.ts', seconds: 50, computes: false },
  { name: 'test/faults/agent.test.ts', seconds: 49, computes: false },
  { name: 'test/faults/lastService.test.ts', seconds: 45, computes: false },
  { name: 'test/operator/frozenLeader.test.ts', seconds: 45, computes: false },
  { name: 'test/uml/iptables.test.ts', seconds: 37, computes: true },
  { name: 'test/operator/leader.test.ts', seconds: 35, computes: false },
  { name: 'test/cli/status.test.ts', seconds: 34, computes: true },
  { name: 'test/install/components.test.ts', seconds: 33, computes: true },
  { name: 'test/faults/manyServices.test.ts', seconds: 33, computes: true },
  { name: 'test/scenarios/kubeProxy.test.ts', seconds: 32, computes: true },
  { name: 'test/operator/faults.test.ts', seconds: 31, computes: false },
  { name: 'test/backend/iptables/kernel.test.ts', seconds: 28, computes: true },
  { name: 'test/operator/conflicts.test.ts', seconds: 27, computes: false },
  { name: 'test/agent/flushMonitor.test.ts', seconds: 22, computes: false },
  { name: 'test/operator/operator.test.ts', seconds: 21, computes: false },
  { name: 'test/replace/replace.test.ts', seconds: 20, computes: false },
  { name: 'test/scenarios/iptables.test.ts', seconds: 18, computes: true },
  { name: 'test/install/install.test.ts', seconds: 17, computes: false },
  { name: 'test/scenarios/distribution.test.ts', seconds: 15, computes: true },
  { name: 'test/uml/kubeProxy.test.ts', seconds: 14, computes: true },
];
