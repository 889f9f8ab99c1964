/** Desired states and what they have to change, without a kernel. */
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import { formatChangeSet } from '../../../src/backend/ipvs/plan/changeSet.ts';
import type { Steps } from '../../../src/backend/ipvs/plan/changeSet.ts';
import type { IpvsContext } from '../../../src/backend/ipvs/plan/context.ts';
import { ipvsContext } from '../../../src/backend/ipvs/plan/context.ts';
import type { KernelState } from '../../../src/backend/ipvs/plan/kernelState.ts';
import { emptyKernel } from '../../../src/backend/ipvs/plan/kernelState.ts';
import { DesiredState } from '../../../src/backend/ipvs/plan/desiredState.ts';
import { recordAll } from '../../../src/backend/ipvs/plan/render.ts';
import { addresses } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { stateOf } from '../../support/serviceManifests.ts';

export const nodeAddress = addresses.node.ipv4;

export function kernelWith(parts: Partial<KernelState> = {}): KernelState {
  return { ...emptyKernel([nodeAddress]), ...parts };
}

export interface Case {
  readonly desired: DesiredState;
  readonly context: IpvsContext;
  /** The Services are these now; what that changes, as lines for the tools. */
  readonly become: (services: readonly ServiceManifest[]) => Steps;
}

export function desiredStateOf(kernel: KernelState = kernelWith(), config: Partial<NodeConfig> = {}): Case {
  const desired = new DesiredState(kernel, config.ipvs?.excludeCIDRs);
  const context = ipvsContext(stateOf('ipv4', [], config), kernel.localAddresses);
  let known: readonly string[] = [];
  return {
    desired,
    context,
    become: (services) => {
      const state = stateOf('ipv4', services, config);
      const keys = [...state.keys()];
      recordAll(desired, { ...state, keys: () => [...new Set([...known, ...keys])] }, context);
      known = keys;
      return formatChangeSet(desired.reconcile(), 'ipv4');
    },
  };
}

export function allLines(steps: Steps): readonly string[] {
  return [...steps.servers, ...steps.sets, ...steps.addresses, ...steps.setsAfter, ...steps.serversAfter];
}
