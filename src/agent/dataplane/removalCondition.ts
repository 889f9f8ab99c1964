/**
 * The condition of a node on which something stands that no longer serves.
 */
import { shortened } from '../../api/bounded.ts';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';

/** Characters of a condition's message, as in the CRD. */
const maxMessage = 256;

/** `reason` in CamelCase; the message is cut where it is too long. */
export function removalCondition(reason: string, message: string): NodeConditionNow {
  return { type: 'OldModeRemoved', status: 'False', reason, message: shortened(message, maxMessage) };
}
