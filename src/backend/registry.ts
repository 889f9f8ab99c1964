/**
 * @module The proxy modes that this agent has, and the way to each: the one list of them.
 */
import type { ProxyMode } from '../api/nodeConfig.ts';
import { ipFamilies, type IPFamily } from '../model/ipFamily.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { Ownership } from '../netfilter/xtables/ownership.ts';
import type { ToolHost } from '../system/command.ts';
import type { Backend, Leftovers, Refusal } from './backend.ts';
import { iptablesMode } from './iptables/iptablesMode.ts';
import { ipvsMode } from './ipvs/ipvsMode.ts';
import type { FlushNames, ModeDeclaration, ToolInput } from './mode.ts';
import { removeTable } from './nftables/leave/removeTable.ts';

const modes: ReadonlyMap<ProxyMode, ModeDeclaration> = new Map<ProxyMode, ModeDeclaration>([
  ['iptables', iptablesMode],
  ['ipvs', ipvsMode],
]);

const available = [...modes.values()];

/** What any mode may have put into the tables of iptables. */
export const ownership: Ownership = {
  isOwn: (chain) => available.some((mode) => mode.ownership.isOwn(chain)),
  jumps: available.flatMap((mode) => mode.ownership.jumps),
  kept: new Set(available.flatMap((mode) => [...mode.ownership.kept])),
  completedBy: new Map(available.flatMap((mode) => [...mode.ownership.completedBy])),
};

/** By what a flush of the rules of any mode is noticed. */
export const flushNames: FlushNames & { readonly shared: readonly string[] } = {
  tables: [...new Set(available.flatMap(({ flushes }) => flushes.tables))],
  chains: [...new Set(available.flatMap(({ flushes }) => flushes.chains))],
  shared: [...new Set(ownership.jumps.map(({ table, from }) => `${table} ${from}`))],
};

/** Why a mode cannot run with this agent at all, or undefined when it has the mode. */
export function refusalOf(mode: ProxyMode): Refusal | undefined {
  if (modes.has(mode)) return undefined;
  return {
    reason: 'ModeNotAvailable',
    message: `this agent does not have mode ${mode}; set spec.mode to ${[...modes.keys()].join(' or ')}`,
  };
}

/**
 * The backend of a mode for one family. `host` says where the tools are and how they are run; tests replace it. Throws
 * a TypeError where `refusalOf` has something to say.
 */
export function createBackend(mode: ProxyMode, family: IPFamily, host: ToolHost = {}): Backend {
  const declaration = modeOf(mode);
  const others = available.filter((other) => other !== declaration);
  return declaration.create({
    family,
    host,
    ownership,
    isServedByOther: (view) => others.some((other) => other.isServing(view)),
  });
}

/** What a proxy in a mode that this program does not have may have left. */
export function leftoversOfUnavailable(host: ToolHost = {}): readonly Leftovers[] {
  return ipFamilies.map((family) => ({
    of: 'mode nftables',
    family,
    remove: (request) => removeTable({ family, host }, request),
  }));
}

/**
 * All that the agent would load on an empty node for the mode in the state's configuration. `others`: of the same node,
 * in other families. Throws a TypeError where `refusalOf` has something to say.
 */
export function render(state: ServiceState, ...others: readonly ServiceState[]): readonly ToolInput[] {
  return modeOf(state.config.mode).render(state, ...others);
}

/** Where the mode serves NodePorts without `nodePorts.addresses`; on all addresses for a mode that is not here. */
export function defaultNodePortAddresses(mode: ProxyMode): readonly string[] {
  return modes.get(mode)?.defaultNodePortAddresses ?? ['all'];
}

function modeOf(name: ProxyMode): ModeDeclaration {
  const mode = modes.get(name);
  if (mode === undefined) throw new TypeError(refusalOf(name)?.message);
  return mode;
}
