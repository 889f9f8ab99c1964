/**
 * Records events on Services: what nodes do not serve of these, and why.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { isNotFound } from '../../kube/apiError.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Logger } from '../../observability/logger.ts';
import { decodeExternalIPs, ServicesWithExternalIPs } from '../events/externalIPs.ts';
import { quarantineNotes } from '../events/quarantine.ts';
import { eventOn, DueServiceEvents, type ServiceNote } from '../events/serviceEvents.ts';

export interface ServiceEventWriterOptions {
  readonly client: Pick<KubeClient, 'get'>;
  readonly events: EventRecorder;
  readonly logger: Logger;
}

/** Knows the Services that are watched, and which events are recorded. */
export class ServiceEventWriter {
  readonly #options: ServiceEventWriterOptions;
  readonly #externalIPs = new ServicesWithExternalIPs();
  readonly #due = new DueServiceEvents();

  constructor(options: ServiceEventWriterOptions) {
    this.#options = options;
  }

  /** `service`: as the API server gives it; undefined when it is deleted. Returns whether that is a change. */
  observe(uid: string, service: unknown): boolean {
    return this.#externalIPs.observe(uid, service === undefined ? undefined : decodeExternalIPs(service));
  }

  /**
   * Records what is due of nodes that these ProxyConfigs govern, and of what these NodeProxies report. Returns whether
   * nothing is left for a later call. Never throws for an event; a lost one is logged.
   */
  async recordEvents(governing: readonly ProxyConfig[], nodeProxies: Iterable<NodeProxy>): Promise<boolean> {
    const { due, hasMore } = this.#due.take([...this.#externalIPs.notes(governing), ...quarantineNotes(nodeProxies)]);
    for (const note of due) await this.#recordEvent(note);
    return !hasMore;
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
