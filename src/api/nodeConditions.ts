/**
 * The conditions of a NodeProxy: every type that an agent may report, in this one place. The CRD bounds their number,
 * and a test compares the two. A new cause of something that a type names already is a reason, not another type.
 */
import type { ConditionNow } from './conditions.ts';

/** docs/troubleshooting.md says what each means. */
export const nodeConditionTypes = [
  'AllFamilies',
  'BootstrapAddress',
  'ClusterIPs',
  'ConfigSaved',
  'ConntrackAnchor',
  'ConntrackSettings',
  'ConntrackTable',
  'Drifted',
  'ExternalIPs',
  'FlushMonitor',
  'NodeKnown',
  'NodePorts',
  'OldModeRemoved',
  'Ready',
] as const;

/** A condition of a NodeProxy as it stands now. */
export interface NodeConditionNow extends ConditionNow {
  readonly type: (typeof nodeConditionTypes)[number];
}
