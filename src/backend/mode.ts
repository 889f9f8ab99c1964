/**
 * What a proxy mode says of itself. Everything outside of a mode's folder that depends on the mode asks its
 * declaration, so that a new mode is a folder and a line in the registry.
 */
import type { IPFamily } from '../model/ipFamily.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { Ownership } from '../netfilter/xtables/ownership.ts';
import type { TablesView } from '../netfilter/xtables/tables.ts';
import type { ToolHost } from '../system/command.ts';
import type { Backend } from './backend.ts';

/** What a mode would run on an empty node: a tool, its arguments and its standard input. */
export interface ToolInput {
  readonly tool: string;
  readonly args: readonly string[];
  readonly family: IPFamily;
  readonly input: string;
}

/** What a backend is given of the node and of the other modes. */
export interface BackendOptions {
  readonly family: IPFamily;
  /** Where the tools are and how they are run. */
  readonly host: ToolHost;
  /** Of all modes together: a mode takes over, or takes away, what another one left. */
  readonly ownership: Ownership;
  /** Whether the rules of another mode lead packets by these tables. */
  readonly isServedByOther: (view: TablesView) => boolean;
}

export interface ModeDeclaration {
  readonly create: (options: BackendOptions) => Backend;
  /** All that would be loaded on an empty node, in the order in which the tools run; for one IP family or for both. */
  readonly render: (...states: readonly ServiceState[]) => readonly ToolInput[];
  /** Its chains and jumps of iptables. */
  readonly ownership: Ownership;
  /** Whether its rules lead packets by these tables, whoever wrote them. */
  readonly isServing: (view: TablesView) => boolean;
  /** What is lost when another program flushes its rules, as the kernel reports it of nftables; beside its jumps. */
  readonly flushes: FlushNames;
  /** As `nodePorts.addresses`, for a configuration without. */
  readonly defaultNodePortAddresses: readonly string[];
}

export interface FlushNames {
  readonly tables: readonly string[];
  /** Whose deletion, or that of a rule in them, tells of a flush. */
  readonly chains: readonly string[];
}
