/**
 * @module The contract of a proxy mode: one backend per mode and IP family turns a ServiceState into kernel state.
 *
 * A backend owns every kernel object that it makes, finds them again after a restart without memory, and touches no
 * other. `sync` is called by one caller at a time and never before the caches have synced.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { IPFamily } from '../model/ipFamily.ts';
import type { ServiceKey } from '../model/service.ts';
import type { ServiceState } from '../model/serviceState.ts';

export interface SyncRequest {
  readonly state: ServiceState;
  /** The Services to plan again, or 'all' to make the kernel equal to the state whatever it holds now. */
  readonly changed: ReadonlySet<ServiceKey> | 'all';
  readonly signal: AbortSignal;
}

/** What one sync did: cost follows the change, and this is how a test sees it. */
export interface SyncResult {
  /** Whether everything was written or compared, and not a change alone. */
  readonly full: boolean;
  readonly servicePortsPlanned: number;
  /** Lines written to the kernel's tools. */
  readonly linesSent: number;
  readonly commandsRun: number;
  /** What the kernel holds of ours afterwards. */
  readonly services: number;
  readonly endpoints: number;
  /** Order-independent hash of all objects in force, hexadecimal. */
  readonly rulesHash: string;
  /** Number of iptables rules that stand, by table; none in a mode without any. */
  readonly rulesByTable: Readonly<Record<string, number>>;
  /** Number of iptables rules that this sync wrote, by table. */
  readonly rulesWritten?: Readonly<Record<string, number>>;
  /**
   * Services that were left out so that all the others could be programmed; each is tried again when it changes and by
   * every full sync.
   */
  readonly quarantined?: readonly QuarantinedService[];
  /** How many of these are only left out because there was no time to try them alone: a full sync is due for them. */
  readonly untried?: number;
  /**
   * Services whose change is so large that a part of it is written, to which nothing leads that led elsewhere before: a
   * sync of them is due at once, with whatever else changed meanwhile. Each is written as it was when that began.
   */
  readonly unfinished?: readonly ServiceKey[];
}

/**
 * A Service that cannot be programmed. `message` is ours and safe for a status: a tool's own words are only in the log.
 */
export interface QuarantinedService {
  readonly service: ServiceKey;
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/** Why a mode cannot run here: a CamelCase reason for a condition, and a sentence with the remedy. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export interface RemovalRequest {
  /** Nothing is changed. */
  readonly isDryRun?: boolean;
  /** Chains that other programs' rules lead to go on to work, not only to stand: what they need stays, too. */
  readonly keepsShared?: boolean;
}

export interface DrainRequest extends RemovalRequest {
  /** What open connections need stays for now, and takes no new ones. */
  readonly drains: boolean;
  readonly signal: AbortSignal;
}

export interface DrainResult {
  /** Names of what was removed, for a log; in a dry run of what would be, were nothing to drain. */
  readonly removed: readonly string[];
  /** Number of objects that stay because they still have connections; to be asked again while there are any. */
  readonly draining: number;
}

/** What a mode, or a proxy, may have left in one family, and what takes it away. */
export interface Leftovers {
  /** In words for a log and a condition: `mode ipvs`. */
  readonly of: string;
  readonly family: IPFamily;
  /** Deleting what is absent is success. Throws a SyncError. */
  readonly remove: (request: DrainRequest) => Promise<DrainResult>;
}

/**
 * All that was written stands, but would be written otherwise now: the node itself is different, and nobody has changed
 * what is ours.
 */
export interface Outdated {
  /** For a log. */
  readonly outdated: string;
}

/** Packets, since the rules that count them were written. */
export interface PacketCounts {
  /** Dropped because they are of no connection that the kernel knows. */
  readonly invalidDropped: number;
}

export interface Backend {
  /**
   * Why this node cannot run the mode with this configuration, or undefined when it can. Changes nothing that serves:
   * what has to be tried out is made under names of its own and taken away.
   */
  preflight(config: NodeConfig): Promise<Refusal | undefined>;
  /**
   * Makes the kernel equal to the state, but for the Services in `quarantined`. Throws a SyncError when it could not;
   * what the kernel holds is then unknown, and the next sync writes everything whatever it is asked for.
   */
  sync(request: SyncRequest): Promise<SyncResult>;
  /**
   * Compares the kernel with what was applied last. Returns what is missing or different, in words for a log; why a
   * full sync is due although nothing is; or undefined, also where nothing is in force. Throws a SyncError.
   */
  findDrift(signal: AbortSignal): Promise<string | Outdated | undefined>;
  /**
   * Whether rules of ours stand in nf_tables, where the kernel reports what becomes of them; false while it is not known
   * yet. A mode without this has none there.
   */
  isInNftables?(): boolean;
  /**
   * What the rules in force count; undefined where none are in force, or they are being written. Throws a SyncError.
   */
  packetCounts?(signal: AbortSignal): Promise<PacketCounts | undefined>;
  /**
   * Removes every object of ours in the family and returns the names of what was removed, or in a dry run would be.
   * Throws a SyncError.
   */
  cleanup(request?: RemovalRequest): Promise<readonly string[]>;
  /**
   * Removes the rules under our names, of whatever mode and writer, in the variants of iptables that this mode does not
   * serve in, and returns the names of what was removed, or in a dry run would be; not what `prepareTakeover` put up.
   * May be called at any time once a sync has succeeded. Throws a SyncError.
   */
  removeElsewhere?(request?: RemovalRequest): Promise<readonly string[]>;
  /**
   * Another mode is about to take over: puts up what keeps this mode's objects harmless, and their connections alive,
   * beside that mode's rules. Throws a SyncError. Where nothing of this mode would meet a packet then, there is nothing
   * to do.
   */
  prepareTakeover?(signal: AbortSignal): Promise<void>;
  /**
   * Takes away what this mode left in the kernel, known by itself alone, while another mode serves. What both have in
   * common is the other's by now. Throws a SyncError.
   */
  drainAndRemove?(request: DrainRequest): Promise<DrainResult>;
  /**
   * Leaves the Services served, in a form that kube-proxy takes over when it starts, and returns the names of what was
   * removed for that. Throws a SyncError. Where a mode leaves nothing that kube-proxy does not know, there is nothing
   * to do.
   */
  handover?(): Promise<readonly string[]>;
}
