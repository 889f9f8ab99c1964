/**
 * Writes the statuses of ProxyConfigs, each once in an interval, and the events that follow from them.
 */
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { apiVersion, proxyConfigResource } from '../../api/resources.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Logger } from '../../observability/logger.ts';
import type { StatusUpdate } from '../status/statusUpdate.ts';
import type { KnownObjects } from '../watch/knownObjects.ts';
import type { ObjectWriter } from './objectWriter.ts';
import { statusWrite } from './statusWrite.ts';

export interface ConfigStatusWriterOptions {
  readonly writer: ObjectWriter;
  readonly events: EventRecorder;
  readonly logger: Logger;
  /** The ProxyConfigs that are known. */
  readonly configs: KnownObjects<ProxyConfig>;
  /** Min milliseconds from one write of a ProxyConfig's status to its next. */
  readonly intervalMs: number;
}

/** Remembers when each status was written. */
export class ConfigStatusWriter {
  readonly #options: ConfigStatusWriterOptions;
  /** Milliseconds of the monotonic clock, by uid of the ProxyConfig. */
  readonly #writtenAt = new Map<string, number>();

  constructor(options: ConfigStatusWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes each changed status whose interval is over, or with `isLast` each changed one, and then records its events.
   * Resolves with milliseconds until the next may be written; undefined where none waits. Throws as `ObjectWriter.write`.
   */
  async write(updates: readonly StatusUpdate[], { isLast }: { isLast: boolean }): Promise<number | undefined> {
    const waits: number[] = [];
    for (const update of updates.filter(({ changed }) => changed)) {
      const { uid = '' } = update.config.metadata;
      const due = (this.#writtenAt.get(uid) ?? -Infinity) + this.#options.intervalMs - performance.now();
      if (due > 0 && !isLast) waits.push(due);
      else await this.#writeOne(update);
    }
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  /** Drops what is remembered of ProxyConfigs that are deleted. */
  forgetDeleted(): void {
    const existing = new Set([...this.#options.configs.byName.values()].map(({ metadata }) => metadata.uid));
    for (const uid of this.#writtenAt.keys()) if (!existing.has(uid)) this.#writtenAt.delete(uid);
  }

  async #writeOne({ config, status, events }: StatusUpdate): Promise<void> {
    const { writer, events: recorder, logger, configs } = this.#options;
    const { name, uid = '' } = config.metadata;
    await writer.write({ ...proxyConfigResource, objects: configs }, name, statusWrite(config, status));
    this.#writtenAt.set(uid, performance.now());
    const regarding = { apiVersion, kind: proxyConfigResource.kind, name, uid };
    for (const { type, reason, message } of events) {
      logger.info(message, { proxyConfig: name, reason });
      await recorder.record({ regarding, type, reason, action: 'Reconcile', note: message });
    }
  }
}
