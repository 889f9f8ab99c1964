/**
 * What owners of Services are told by events. The operator tells it, not the agents: one event is enough, however many
 * nodes there are.
 */
import { hash } from 'node:crypto';
import type { EventDetails } from '../kube/events.ts';

export interface ServiceNote {
  readonly service: { readonly namespace: string; readonly name: string; readonly uid?: string };
  /** CamelCase. */
  readonly reason: string;
  readonly note: string;
}

/** Whoever turns an allow-list around in a cluster full of Services, or starts an operator there, causes no flood. */
const maxAtOnce = 20;

/** Remembers what was told, so that each Service is told of once for each change. */
export class DueServiceEvents {
  readonly #recorded = new Map<string, string>();

  /** Which of all that is true now is to be told now; `hasMore` where the rest waits for the next time. */
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

/** By its name the API server knows an event that an operator before this one has told. */
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
