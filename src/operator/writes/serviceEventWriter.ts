/**
 * Records events on Services: what nodes do not serve of these, and why. Beside the reconciliations, so that no node
 * waits for an event.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { isNotFound } from '../../kube/apiError.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { createWorkQueue } from '../../kube/workQueue.ts';
import type { Logger } from '../../observability/logger.ts';
import { portConflictNotes } from '../events/portConflicts.ts';
import { quarantineNotes } from '../events/quarantine.ts';
import { ServicesToNote, type ServiceToNote } from '../events/servicesToNote.ts';
import type { KnownObjects } from '../watch/knownObjects.ts';
import { eventOn, DueServiceEvents, type ServiceNote } from '../events/serviceEvents.ts';

export interface ServiceEventWriterOptions {
  readonly client: Pick<KubeClient, 'get'>;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** The NodeProxies that are known. */
  readonly nodeProxies: KnownObjects<NodeProxy>;
}

const services = 'services';
/** Milliseconds from some events to the next where there are many. */
const moreEventsMs = 10_000;

/** Knows the Services that are watched, and which events are recorded. */
export class ServiceEventWriter {
  readonly #options: ServiceEventWriterOptions;
  readonly #services = new ServicesToNote();
  readonly #due = new DueServiceEvents();
  readonly #queue = createWorkQueue({ reconcile: (_key, signal) => this.#recordDue(signal) });
  #governing: readonly ProxyConfig[] = [];

  constructor(options: ServiceEventWriterOptions) {
    this.#options = options;
  }

  /** `service`: undefined when it is deleted, or nothing is to be said of it any more. Returns whether that is a change. */
  observe(uid: string, service: ServiceToNote | undefined): boolean {
    return this.#services.observe(uid, service);
  }

  /**
   * From now on what is due is recorded of nodes that these ProxyConfigs govern, and of what NodeProxies report.
   * Returns at once, and never throws for an event; a lost one is logged.
   */
  request(governing: readonly ProxyConfig[]): void {
    this.#governing = governing;
    this.#queue.add(services);
  }

  /** Resolves when no event is under way any more; none follows. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** Resolves with milliseconds until more is to be recorded, or undefined. */
  async #recordDue(signal: AbortSignal): Promise<number | undefined> {
    const nodeProxies = [...this.#options.nodeProxies.byName.values()];
    const reported = [...quarantineNotes(nodeProxies), ...portConflictNotes(nodeProxies)];
    const notes = [...this.#services.notes(this.#governing), ...reported];
    const { due, hasMore } = this.#due.take(notes, performance.now());
    for (const note of due) if (!signal.aborted) await this.#recordEvent(note);
    return hasMore ? moreEventsMs : undefined;
  }

  /** An event is shown with the object whose uid it has; nodes report names. */
  async #recordEvent(note: ServiceNote): Promise<void> {
    const { client, events, logger } = this.#options;
    const { namespace, name } = note.service;
    try {
      const uid =
        note.service.uid ??
        (await client.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${namespace}/services/${name}`)).metadata
          .uid;
      await events.record(eventOn(note, uid));
    } catch (cause) {
      if (!isNotFound(cause)) logger.warn('an event was lost', { service: `${namespace}/${name}`, error: cause });
    }
  }
}
