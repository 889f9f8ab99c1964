/**
 * Writes the statuses of ProxyConfigs, each once in an interval, and the events that follow from them.
 */
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { apiVersion, proxyConfigResource } from '../../api/resources.ts';
import { type Backoff, createBackoff } from '../../kube/backoff.ts';
import { isRefused } from '../../kube/apiError.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { sendReduced } from '../../kube/reducedStatus.ts';
import type { Logger } from '../../observability/logger.ts';
import type { OperatorMetrics } from '../operatorMetrics.ts';
import type { StatusUpdate } from '../status/statusUpdate.ts';
import type { KnownObjects } from '../watch/knownObjects.ts';
import type { ObjectWriter } from './objectWriter.ts';
import { statusWrite } from './statusWrite.ts';
import type { WriteErrors } from './writeErrors.ts';

export interface ConfigStatusWriterOptions {
  readonly writer: ObjectWriter;
  readonly events: EventRecorder;
  readonly logger: Logger;
  readonly metrics: Pick<OperatorMetrics, 'refusedWrites'>;
  /** The ProxyConfigs that are known. */
  readonly configs: KnownObjects<ProxyConfig>;
  /** Min milliseconds from one write of a ProxyConfig's status to its next. */
  readonly intervalMs: number;
}

/** One status that was written, or refused. */
interface Written {
  /** When it may be written again, in milliseconds of the monotonic clock. */
  dueAt: number;
  /** The API server did not take it as it was. */
  isRefused: boolean;
  /** Of a status that is refused as it is, time after time. */
  readonly backoff: Backoff;
}

/** One whose status is refused is not tried more often than this, in milliseconds. */
const maxRetryMs = 60_000;

/** Remembers when each status was written. */
export class ConfigStatusWriter {
  readonly #options: ConfigStatusWriterOptions;
  /** By uid of the ProxyConfig. */
  readonly #written = new Map<string, Written>();
  #recording: Promise<void> = Promise.resolve();

  constructor(options: ConfigStatusWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes each changed status whose interval is over, or with `isLast` each changed one, and then records its events.
   * What the API server refuses of a status is left out; one that it refuses in every form waits, and the others are
   * written. Resolves with milliseconds until the next may be written; undefined where none waits. Throws as
   * `WriteErrors.collect`, which gets every other error.
   */
  async write(
    updates: readonly StatusUpdate[],
    { isLast, errors }: { isLast: boolean; errors: WriteErrors },
  ): Promise<number | undefined> {
    const waits: number[] = [];
    for (const update of updates.filter(({ changed }) => changed)) {
      const written = this.#writtenOf(update);
      const dueMs = written.dueAt - performance.now();
      if (dueMs > 0 && !isLast) waits.push(dueMs);
      else await errors.collect(() => this.#writeOne(update, written));
      if (dueMs <= 0 && written.isRefused) waits.push(written.dueAt - performance.now());
    }
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  /** Resolves when every event of the statuses so far is recorded, or lost. */
  async recorded(): Promise<void> {
    await this.#recording;
  }

  /** Drops what is remembered of ProxyConfigs that are deleted. */
  forgetDeleted(): void {
    const existing = new Set([...this.#options.configs.byName.values()].map(({ metadata }) => metadata.uid));
    for (const uid of this.#written.keys()) if (!existing.has(uid)) this.#written.delete(uid);
  }

  #writtenOf({ config: { metadata } }: StatusUpdate): Written {
    const { uid = '' } = metadata;
    const minMs = this.#options.intervalMs;
    const backoff = createBackoff({ minMs, maxMs: Math.max(minMs, maxRetryMs) });
    const written = this.#written.get(uid) ?? { dueAt: -Infinity, isRefused: false, backoff };
    this.#written.set(uid, written);
    return written;
  }

  async #writeOne(update: StatusUpdate, written: Written): Promise<void> {
    const { writer, configs, intervalMs } = this.#options;
    const { config, status } = update;
    const { name } = config.metadata;
    const kind = { ...proxyConfigResource, objects: configs };
    const send = (tried: object): Promise<void> => writer.write(kind, name, statusWrite(config, tried));
    const onReduced = (error: unknown, without: string): void => {
      written.isRefused = true;
      this.#reportRefusal(name, error, without);
    };
    written.isRefused = false;
    try {
      await sendReduced(status, send, onReduced);
      this.#recordEvents(update);
    } catch (error) {
      if (!isRefused(error)) throw error;
      onReduced(error, 'status');
    }
    if (!written.isRefused) written.backoff.reset();
    written.dueAt = performance.now() + (written.isRefused ? written.backoff.next() : intervalMs);
  }

  #reportRefusal(name: string, error: unknown, without: string): void {
    const { logger, metrics } = this.#options;
    metrics.refusedWrites.inc({ resource: proxyConfigResource.plural });
    logger.warn('a status was refused; what stands in it is left out', { proxyConfig: name, without, error });
  }

  /** One after the other, while the reconciliation goes on: no node waits for an event. */
  #recordEvents({ config, events }: StatusUpdate): void {
    const { events: recorder, logger } = this.#options;
    const { name, uid = '' } = config.metadata;
    const regarding = { apiVersion, kind: proxyConfigResource.kind, name, uid };
    for (const { type, reason, message } of events) {
      logger.info(message, { proxyConfig: name, reason });
      const event = { regarding, type, reason, action: 'Reconcile', note: message };
      this.#recording = this.#recording.then(() => recorder.record(event));
    }
  }
}
