/**
 * Events to owners of Services. The operator records them, not the agents: one event is enough, however many nodes
 * there are.
 */
import { hash } from 'node:crypto';
import type { EventDetails } from '../../kube/events.ts';

/** What an event says of a Service; without `uid` where only its name is known. */
export interface ServiceNote {
  readonly service: { readonly namespace: string; readonly name: string; readonly uid?: string };
  /** CamelCase. */
  readonly reason: string;
  readonly note: string;
}

/** A change of an allow-list in a cluster full of Services, or a new operator there, causes no flood. */
const maxAtOnce = 20;

/** Remembers what was recorded, so that there is one event for each Service, reason and change of note. */
export class DueServiceEvents {
  readonly #recorded = new Map<string, string>();

  /**
   * Of all notes that hold now, those that are to be recorded now, at most 20; they count as recorded. `hasMore` where
   * the rest waits for the next call. A note that holds no longer is forgotten.
   */
  take(notes: readonly ServiceNote[]): { readonly due: readonly ServiceNote[]; readonly hasMore: boolean } {
    const present = new Set(notes.map(keyOf));
    for (const key of this.#recorded.keys()) if (!present.has(key)) this.#recorded.delete(key);
    const unrecorded = notes.filter((each) => this.#recorded.get(keyOf(each)) !== each.note);
    const due = unrecorded.slice(0, maxAtOnce);
    for (const each of due) this.#recorded.set(keyOf(each), each.note);
    return { due, hasMore: unrecorded.length > due.length };
  }
}

function keyOf({ service: { namespace, name, uid = '' }, reason }: ServiceNote): string {
  return `${namespace}/${name} ${uid} ${reason}`;
}

/** By its name, a hash of uid and note, the API server knows an event that an operator before this one has recorded. */
export function eventOn({ service: { namespace, name }, reason, note }: ServiceNote, uid: string): EventDetails {
  return {
    regarding: { apiVersion: 'v1', kind: 'Service', namespace, name, uid },
    type: 'Warning',
    reason,
    action: 'Reconcile',
    note,
    name: `${name}.${hash('sha256', `${uid} ${note}`, 'hex').slice(0, 16)}`,
  };
}
