/**
 * Nodes on which no agent can ever run, because there is no kernel of theirs to program. The agents' DaemonSet keeps
 * off the same labels (config/agent/daemonset.yaml); a test compares the two.
 */
import { ownValue } from './ownValue.ts';

/** Labels that such nodes carry, of which one is enough. */
export const agentlessLabels = {
  // A Pod of AWS Fargate has a machine of its own, and no DaemonSet runs there.
  'eks.amazonaws.com/compute-type': 'fargate',
  // What the virtual-kubelet project sets, and Azure's virtual nodes with it.
  type: 'virtual-kubelet',
} as const;

/** Whether the node's labels say that no agent can run there. */
export function isAgentless(labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(agentlessLabels).some(([name, value]) => ownValue(labels, name) === value);
}
