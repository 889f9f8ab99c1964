/**
 * Finds the Services whose objects are refused. Its trials only add, and only what is desired anyway: nothing that
 * serves goes away for them, and what they leave of a refused Service goes with the full sync that comes next.
 */
import type { ServiceKey } from '../../../model/service.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { QuarantinedService } from '../../backend.ts';
import { isRefusal } from '../../../netfilter/errors.ts';
import { findRefused } from '../../engine/bisect.ts';
import type { Quarantine } from '../../engine/quarantine.ts';
import { InvalidRule } from '../../../netfilter/xtables/rule.ts';
import { ipvsContext } from '../plan/context.ts';
import { DesiredState } from '../plan/desiredState.ts';
import { recordAll } from '../plan/render.ts';
import type { Writer } from './writer.ts';

/**
 * The Services among `keys` to leave out. Throws `error`, which the sync failed with, where it is no refusal or no
 * single Service is to blame.
 */
export async function findQuarantine(
  error: unknown,
  { keys, state, writer }: { keys: readonly ServiceKey[]; state: ServiceState; writer: Writer },
): Promise<Quarantine> {
  if (!isDueToServices(error)) throw error;
  const accepts = async (some: readonly ServiceKey[]): Promise<boolean> => {
    try {
      await tryOut(writer, state, some);
      return true;
    } catch (refusal) {
      if (isDueToServices(refusal)) return false;
      throw refusal;
    }
  };
  const refused = await findRefused(keys, accepts);
  if (refused === undefined) throw error;
  return new Map(refused.map((service) => [service, quarantined(service)]));
}

function isDueToServices(error: unknown): boolean {
  return isRefusal(error) || error instanceof InvalidRule;
}

async function tryOut(writer: Writer, state: ServiceState, some: readonly ServiceKey[]): Promise<void> {
  const kernel = await writer.readKernel();
  const context = ipvsContext(state, kernel.localAddresses);
  const desired = new DesiredState(kernel, state.config.ipvs?.excludeCIDRs);
  recordAll(desired, writer.counting(state, some), context);
  await writer.tryOut(desired, context, state);
}

function quarantined(service: ServiceKey): QuarantinedService {
  return {
    service,
    reason: 'KernelRefused',
    message:
      'the kernel refused the virtual servers, sets or addresses of this Service; it is tried again when the Service changes, and by every full sync',
  };
}

/** The state as if those that are left out had no ports. */
export function without(state: ServiceState, quarantine: Quarantine): ServiceState {
  if (quarantine.size === 0) return state;
  const { family, node, config } = state;
  return {
    family,
    node,
    config,
    keys: () => state.keys(),
    ports: (key) => (quarantine.has(key) ? [] : state.ports(key)),
  };
}
