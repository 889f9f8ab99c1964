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
  /** The nodes that report it, where the operator knows it from nodes alone. */
  readonly nodes?: readonly string[];
}

/** A change of an allow-list in a cluster full of Services, or a new operator there, causes no flood. */
const maxAtOnce = 20;
/** What one node reports causes no more events than this in an hour, whatever it reports. */
const maxPerNodeAndHour = 20;
const hourMs = 3_600_000;

/**
 * Remembers what was recorded, so that there is one event for each Service, reason and change of note, and for which
 * nodes.
 */
export class DueServiceEvents {
  readonly #recorded = new Map<string, string>();
  /** When events were due for what a node alone had reported, within the last hour. */
  readonly #perNode = new Map<string, number[]>();

  /**
   * Of all notes that hold now, those that are to be recorded now, at most 20, and at most 20 for each node in an hour;
   * they count as recorded. `hasMore` where the rest waits for a later call. A note that holds no longer is forgotten.
   * `now`: milliseconds of a clock that never goes back.
   */
  take(
    notes: readonly ServiceNote[],
    now: number,
  ): { readonly due: readonly ServiceNote[]; readonly hasMore: boolean } {
    const present = new Set(notes.map(keyOf));
    for (const key of this.#recorded.keys()) if (!present.has(key)) this.#recorded.delete(key);
    const unrecorded = notes.filter((each) => this.#recorded.get(keyOf(each)) !== each.note);
    this.#forgetBefore(now - hourMs);
    const due: ServiceNote[] = [];
    for (const each of unrecorded) if (due.length < maxAtOnce && this.#admits(each, now)) due.push(each);
    for (const each of due) this.#recorded.set(keyOf(each), each.note);
    return { due, hasMore: unrecorded.length > due.length };
  }

  /** Whether one of its nodes may cause another event; it then has. */
  #admits({ nodes }: ServiceNote, now: number): boolean {
    if (nodes === undefined) return true;
    const node = nodes.find((name) => (this.#perNode.get(name)?.length ?? 0) < maxPerNodeAndHour);
    if (node !== undefined) this.#perNode.set(node, [...(this.#perNode.get(node) ?? []), now]);
    return node !== undefined;
  }

  #forgetBefore(time: number): void {
    for (const [node, times] of this.#perNode) {
      const recent = times.filter((at) => at > time);
      if (recent.length === 0) this.#perNode.delete(node);
      else this.#perNode.set(node, recent);
    }
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
