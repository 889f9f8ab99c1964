/** Ledgers and what they say, without a kernel. */
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import { printChanges } from '../../../src/backend/ipvs/changes.ts';
import type { Steps } from '../../../src/backend/ipvs/changes.ts';
import type { IpvsContext } from '../../../src/backend/ipvs/context.ts';
import { ipvsContext } from '../../../src/backend/ipvs/context.ts';
import type { KernelState } from '../../../src/backend/ipvs/kernelState.ts';
import { emptyKernel } from '../../../src/backend/ipvs/kernelState.ts';
import { Ledger } from '../../../src/backend/ipvs/ledger.ts';
import { recordAll } from '../../../src/backend/ipvs/render.ts';
import { addresses } from '../../scenarios/network.ts';
import type { ServiceManifest } from '../../scenarios/objects.ts';
import { stateOf } from '../../scenarios/objects.ts';

export const nodeAddress = addresses.node.ipv4;

export function kernelWith(news: Partial<KernelState> = {}): KernelState {
  return { ...emptyKernel([nodeAddress]), ...news };
}

export interface Case {
  readonly ledger: Ledger;
  readonly context: IpvsContext;
  /** The Services are these now; what that changes, as lines for the tools. */
  readonly become: (services: readonly ServiceManifest[]) => Steps;
}

export function ledgerOf(kernel: KernelState = kernelWith(), config: Partial<NodeConfig> = {}): Case {
  const ledger = new Ledger(kernel, config.ipvs?.excludeCIDRs);
  const context = ipvsContext(stateOf('ipv4', [], config), kernel.localAddresses);
  let known: readonly string[] = [];
  return {
    ledger,
    context,
    become: (services) => {
      const state = stateOf('ipv4', services, config);
      const keys = [...state.keys()];
      recordAll(ledger, { ...state, keys: () => [...new Set([...known, ...keys])] }, context);
      known = keys;
      return printChanges(ledger.reconcile(), 'ipv4');
    },
  };
}

export function allLines(steps: Steps): readonly string[] {
  return [...steps.servers, ...steps.sets, ...steps.addresses, ...steps.setsAfter, ...steps.serversAfter];
}
