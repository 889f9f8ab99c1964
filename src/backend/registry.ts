/**
 * @module The proxy modes that this agent has, and the way to each.
 */
import type { ProxyMode } from '../api/nodeConfig.ts';
import type { IPFamily } from '../model/ipFamily.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { IptablesHost } from '../netfilter/xtables/iptables.ts';
import type { Backend, Refusal } from './backend.ts';
import { createIptablesBackend } from './iptables/iptablesBackend.ts';
import { renderIptables } from './iptables/plan/transaction.ts';
import { createIpvsBackend } from './ipvs/ipvsBackend.ts';
import { renderIpvs } from './ipvs/plan/render.ts';

/** What a mode would run on an empty node: a tool, its arguments and its standard input. */
export interface ToolInput {
  readonly tool: string;
  readonly args: readonly string[];
  readonly family: IPFamily;
  readonly input: string;
}

interface Mode {
  readonly create: (family: IPFamily, host: IptablesHost) => Backend;
  /** In the order in which the tools run; for one IP family or for both. */
  readonly render: (...states: readonly ServiceState[]) => readonly ToolInput[];
}

const modes: Record<ProxyMode, Mode | undefined> = {
  iptables: { create: createIptablesBackend, render: (...states) => states.map(renderIptables) },
  ipvs: { create: createIpvsBackend, render: renderIpvs },
  nftables: undefined,
  userspace: undefined,
};

/** Why a mode cannot run with this agent at all, or undefined when it has the mode. */
export function refusalOf(mode: ProxyMode): Refusal | undefined {
  if (modes[mode] !== undefined) return undefined;
  const available = Object.keys(modes).filter((name) => modes[name as ProxyMode] !== undefined);
  return {
    reason: 'ModeNotAvailable',
    message: `this agent does not have mode ${mode}; set spec.mode to ${available.join(' or ')}`,
  };
}

/**
 * The backend of a mode for one family. `host` says where the tools are and how they are run; tests replace it. Throws
 * a TypeError where `refusalOf` has something to say.
 */
export function createBackend(mode: ProxyMode, family: IPFamily, host: IptablesHost = {}): Backend {
  return modeOf(mode).create(family, host);
}

/**
 * All that the agent would load on an empty node for the mode in the state's configuration. `others`: of the same node,
 * in other families. Throws a TypeError where `refusalOf` has something to say.
 */
export function render(state: ServiceState, ...others: readonly ServiceState[]): readonly ToolInput[] {
  return modeOf(state.config.mode).render(state, ...others);
}

function modeOf(name: ProxyMode): Mode {
  const mode = modes[name];
  if (mode === undefined) throw new TypeError(refusalOf(name)?.message);
  return mode;
}
