/** @module The suites that take longest. test/README.md says how these figures were measured. */

export interface Suite {
  readonly name: string;
  /** In a run of everything, three suites at a time on two processors; test/README.md says which were measured otherwise. */
  readonly seconds: number;
  /** Most of that time a processor works for it; else it waits. */
  readonly computes: boolean;
}

export const slowSuites: readonly Suite[] = [
  { name: 'test/uml/modeChange.test.ts', seconds: 200, computes: true },
  { name: 'test/e2e/installIPv6.test.ts', seconds: 165, computes: false },
  { name: 'test/uml/ipvs.test.ts', seconds: 131, computes: true },
  { name: 'test/faults/brokenTools.test.ts', seconds: 127, computes: false },
  { name: 'test/operator/clockSkew.test.ts', seconds: 116, computes: false },
  { name: 'test/e2e/cluster.test.ts', seconds: 108, computes: false },
  { name: 'test/e2e/install.test.ts', seconds: 104, computes: false },
  { name: 'test/faults/leftovers.test.ts', seconds: 98, computes: false },
  { name: 'test/bench/kubeProxy.test.ts', seconds: 72, computes: false },
  { name: 'test/faults/dyingTools.test.ts', seconds: 72, computes: false },
  { name: 'test/agent/agent.test.ts', seconds: 57, computes: false },
  { name: 'test/faults/nodeChanges.test.ts', seconds: 54, computes: false },
  { name: 'test/faults/refused.test.ts', seconds: 52, computes: true },
  { name: 'test/faults/heldPorts.test.ts', seconds: 51, computes: false },
  { name: 'test/backend/ipvs/kernel.test.ts', seconds: 48, computes: true },
  { name: 'test/install/applyBothWays.test.ts', seconds: 47, computes: true },
  { name: 'test/faults/agent.test.ts', seconds: 44, computes: false },
  { name: 'test/operator/frozenLeader.test.ts', seconds: 43, computes: false },
  { name: 'test/userland/imageTools.test.ts', seconds: 40, computes: true },
  { name: 'test/e2e/hostAgents.test.ts', seconds: 36, computes: false },
  { name: 'test/faults/lastService.test.ts', seconds: 36, computes: false },
  { name: 'test/bench/against/against.test.ts', seconds: 35, computes: false },
  { name: 'test/uml/iptables.test.ts', seconds: 34, computes: true },
  { name: 'test/scenarios/kubeProxy.test.ts', seconds: 32, computes: true },
  { name: 'test/faults/manyServices.test.ts', seconds: 30, computes: true },
  { name: 'test/faults/annotations.test.ts', seconds: 30, computes: true },
  { name: 'test/replace/replace.test.ts', seconds: 29, computes: false },
  { name: 'test/operator/faults.test.ts', seconds: 28, computes: false },
  { name: 'test/cli/status.test.ts', seconds: 27, computes: true },
  { name: 'test/operator/leader.test.ts', seconds: 26, computes: false },
  { name: 'test/install/components.test.ts', seconds: 22, computes: true },
  { name: 'test/operator/conflicts.test.ts', seconds: 22, computes: false },
  { name: 'test/operator/operator.test.ts', seconds: 17, computes: false },
  { name: 'test/agent/flushMonitor.test.ts', seconds: 16, computes: false },
  { name: 'test/backend/iptables/kernel.test.ts', seconds: 15, computes: true },
  { name: 'test/userland/newerTable.test.ts', seconds: 12, computes: false },
  { name: 'test/scenarios/distribution.test.ts', seconds: 12, computes: true },
  { name: 'test/uml/kubeProxy.test.ts', seconds: 12, computes: true },
  { name: 'test/scenarios/iptables.test.ts', seconds: 11, computes: true },
  { name: 'test/install/install.test.ts', seconds: 10, computes: false },
];
