/**
 * Kubernetes Events (events.k8s.io/v1) about an object, so that `kubectl describe` shows what happened. The same event
 * is created once an hour: a reconciler may record what it finds each time without flooding the API server.
 */
import { randomUUID } from 'node:crypto';
import { isAlreadyExists } from './apiError.ts';
import type { KubeClient } from './client.ts';
import { microTime } from './microTime.ts';
import { retryOnConflict } from './retryOnConflict.ts';

/** The object that an event is about; without a namespace it is cluster-scoped. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid?: string | undefined;
  readonly namespace?: string | undefined;
}

/** One event; `note` is cut at 1024 characters, as the API server demands. */
export interface EventDetails {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase. */
  readonly reason: string;
  /** What was being done, CamelCase, e.g. `Reconcile`. */
  readonly action: string;
  readonly note: string;
  /** Two events of one name are one, whoever creates them; without it every event is another. */
  readonly name?: string;
}

/** As client-go's EventRecorder. */
export interface EventRecorder {
  /**
   * Resolves when the event is created, or was within the last hour. Never rejects; a lost event goes to `onError`, and
   * is not tried again within the hour.
   */
  record(event: EventDetails): Promise<void>;
}

/** Who reports, and to which API server. */
export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** reportingController: the qualified name of what reports, e.g. `operatorController` of src/api/resources.ts. */
  readonly controller: string;
  /** reportingInstance: the Pod's or node's name, cut at 128 characters. */
  readonly instance: string;
  readonly onError?: (error: unknown) => void;
}

/** An equal event is created again after this time; of so many events it is known. */
const repeatAfterMs = 3_600_000;
const rememberedEvents = 1000;

/** Remembers the last 1000 events; a restarted process knows none of them. */
export function createEventRecorder({ client, controller, instance, onError }: EventRecorderOptions): EventRecorder {
  const recorded = new Map<string, number>();

  function isNew({ regarding, reason, note }: EventDetails): boolean {
    const key = JSON.stringify([regarding.kind, regarding.namespace, regarding.name, regarding.uid, reason, note]);
    const now = performance.now();
    if (now - (recorded.get(key) ?? -Infinity) < repeatAfterMs) return false;
    recorded.delete(key);
    recorded.set(key, now);
    const [oldest] = recorded.keys();
    if (recorded.size > rememberedEvents && oldest !== undefined) recorded.delete(oldest);
    return true;
  }

  return {
    async record({ name, ...event }): Promise<void> {
      if (!isNew(event)) return;
      // Events of cluster-scoped objects live in `default`, as the API server's validation demands.
      const namespace = event.regarding.namespace ?? 'default';
      const body = {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { namespace, name: name ?? `${event.regarding.name.slice(0, 200)}.${randomUUID()}` },
        ...event,
        note: event.note.slice(0, 1024),
        eventTime: microTime(new Date()),
        reportingController: controller,
        reportingInstance: instance.slice(0, 128),
      };
      const create = () => client.send('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { body });
      try {
        // Where the namespace has a ResourceQuota, other creations get in the way of this one.
        await retryOnConflict(create);
      } catch (error) {
        if (!isAlreadyExists(error)) onError?.(error);
      }
    },
  };
}
