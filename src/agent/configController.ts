/**
 * Decides which configuration this node runs: its NodeProxy's; without one, the one saved; without either, the
 * built-in.
 *
 * One that the node cannot run is refused, and what ran before goes on. It is tried again from time to time, because
 * the reason may be gone: a tool was installed, a module loaded.
 */
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import type { Refusal } from '../backend/backend.ts';
import type { Logger } from '../observability/logger.ts';
import type { Dataplane } from './dataplane.ts';
import { builtIn, configOfNodeProxy, type DesiredConfig } from './desiredConfig.ts';

export interface ConfigControllerOptions {
  readonly dataplane: Pick<Dataplane, 'accept' | 'status'>;
  readonly saved: DesiredConfig | undefined;
  readonly logger: Logger;
  readonly onDecision: () => void;
  /** Default 60 s. */
  readonly retryRefusedMs?: number;
}

/** The NodeProxy that was last looked at, and what came of it. */
export interface ConfigDecision {
  readonly nodeProxy: NodeProxy | undefined;
  readonly refusal: Refusal | undefined;
}

export class ConfigController {
  readonly #options: ConfigControllerOptions;
  #desired: NodeProxy | undefined;
  #decision: ConfigDecision = { nodeProxy: undefined, refusal: undefined };
  #deciding: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #isOpen = false;

  constructor(options: ConfigControllerOptions) {
    this.#options = options;
  }

  get decision(): ConfigDecision {
    return this.#decision;
  }

  setNodeProxy(nodeProxy: NodeProxy): void {
    this.#desired = nodeProxy;
    this.requeue();
  }

  /**
   * Something that the decision was made on is different now. Before the first decision was asked for, nothing happens.
   */
  requeue(): void {
    if (this.#isOpen) void this.decide();
  }

  /**
   * From the first call on, every new NodeProxy is decided on; one at a time, the newest last. Rules are written from
   * here on.
   */
  decide(): Promise<void> {
    this.#isOpen = true;
    this.#deciding = this.#deciding.then(() => this.#decide());
    return this.#deciding;
  }

  async stop(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#retry);
    await this.#deciding;
    clearTimeout(this.#retry);
  }

  async #decide(): Promise<void> {
    clearTimeout(this.#retry);
    const { dataplane, saved, logger, onDecision } = this.#options;
    const nodeProxy = this.#desired;
    const desired = nodeProxy === undefined ? (saved ?? builtIn()) : configOfNodeProxy(nodeProxy.spec);
    await this.#beginWhereItEnded(desired);
    const refusal = await this.#accept(desired);
    this.#decision = { nodeProxy, refusal };
    if (refusal !== undefined) {
      logger.warn('configuration refused', { ...refusal, stillInForce: dataplane.status.inForce?.revision });
      if (dataplane.status.accepted === undefined) await this.#fallBack();
    }
    const isLess = refusal !== undefined || (dataplane.status.unserved ?? []).length > 0;
    if (isLess && this.#isOpen)
      this.#retry = setTimeout(() => void this.decide(), this.#options.retryRefusedMs ?? 60_000);
    onDecision();
  }

  /**
   * An agent that starts with another mode than the one before it had in force goes there as a running one does, with a
   * way back.
   */
  async #beginWhereItEnded(desired: DesiredConfig | Refusal): Promise<void> {
    const { dataplane, saved } = this.#options;
    if (dataplane.status.accepted !== undefined || saved === undefined || 'reason' in desired) return;
    if (saved.config.mode !== desired.config.mode) await this.#accept(saved);
  }

  /** Better an older configuration than a node without Services. */
  async #fallBack(): Promise<void> {
    for (const candidate of [this.#options.saved, builtIn()]) {
      if (candidate !== undefined && (await this.#accept(candidate)) === undefined) return;
    }
  }

  async #accept(desired: DesiredConfig | Refusal): Promise<Refusal | undefined> {
    if ('reason' in desired) return desired;
    const { dataplane, logger } = this.#options;
    try {
      const refusal = await dataplane.accept(desired);
      if (refusal === undefined)
        logger.info('configuration accepted', {
          source: desired.source,
          mode: desired.config.mode,
          revision: desired.revision,
        });
      return refusal;
    } catch (error) {
      logger.error('preflight failed', { error });
      return {
        reason: 'PreflightFailed',
        message: 'it could not be found out whether this node can run the configuration; the agent log says why',
      };
    }
  }
}
