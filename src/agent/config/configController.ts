/**
 * Decides which configuration this node runs, and has the dataplane accept it.
 *
 * What the caller may rely on: nothing is written to the kernel before the first `decide`. From then on every NodeProxy
 * given is decided on, and `decision` says what came of the last one. A node that can run any configuration runs one.
 *
 * Goals:
 *  1. The NodeProxy decides; without one, the configuration that was saved on this node; without either, the built-in.
 *  2. A configuration that the node cannot run takes nothing away.
 *  3. A node without Services is worse than a node with an older configuration.
 *  4. A refusal ends when its reason does: a tool was installed, a module loaded.
 *  5. A change of mode across a restart of the agent is as safe as one while it runs.
 *
 * How each is met:
 *  1. Each decision starts from the newest NodeProxy. Its configuration is validated by the agent's own schema.
 *  2. The dataplane refuses without a change; the refusal is kept in `decision` for the status.
 *  3. Where nothing was ever accepted and the desired configuration is refused, the saved one and then the built-in one
 *     are tried.
 *  4. While a configuration is refused, or a family of the node is not served, it is decided again every 60 s.
 *  5. Where the saved configuration, which was in force before the restart, has another mode than the desired one, it
 *     is accepted first. The change of mode then has a way back.
 *
 * Concurrency: decisions are chained, so one runs at a time and the last one sees the newest NodeProxy; the dataplane's
 * `accept` is never called twice at a time. All methods may be called at any time. `stop` waits for the decisions that
 * were asked for; the dataplane is to be stopped at the same time so that they end soon.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { Refusal } from '../../backend/backend.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { builtIn, configOfNodeProxy, type DesiredConfig } from './desiredConfig.ts';

export interface ConfigControllerOptions {
  readonly dataplane: Pick<Dataplane, 'accept' | 'status'>;
  /** What the agent before this one had in force. */
  readonly saved: DesiredConfig | undefined;
  readonly logger: Logger;
  /** `decision` was made anew. */
  readonly onDecision: () => void;
  /** In ms; default 60,000. */
  readonly retryRefusedMs?: number;
}

/** The NodeProxy that was last decided on, and why its configuration is not what runs. */
export interface ConfigDecision {
  /** Undefined while the node has none. */
  readonly nodeProxy: NodeProxy | undefined;
  /** Undefined when the configuration was accepted. */
  readonly refusal: Refusal | undefined;
}

export class ConfigController {
  readonly #options: ConfigControllerOptions;
  #nodeProxy: NodeProxy | undefined;
  #decision: ConfigDecision = { nodeProxy: undefined, refusal: undefined };
  #deciding: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #isStarted = false;

  constructor(options: ConfigControllerOptions) {
    this.#options = options;
  }

  /** Of the last decision; without NodeProxy and refusal before the first. */
  get decision(): ConfigDecision {
    return this.#decision;
  }

  /** Replaces the NodeProxy and decides on it; before the first `decide` it is only kept. */
  setNodeProxy(nodeProxy: NodeProxy): void {
    this.#nodeProxy = nodeProxy;
    this.requeue();
  }

  /** Decides again, because something that the last decision rested on changed. Ignored before the first `decide`. */
  requeue(): void {
    if (this.#isStarted) void this.decide();
  }

  /**
   * Decides, after all decisions that were asked for before, and resolves when the dataplane has accepted or refused.
   * The first call is what lets the dataplane write. Never throws.
   */
  decide(): Promise<void> {
    this.#isStarted = true;
    this.#deciding = this.#deciding.then(() => this.#decide());
    return this.#deciding;
  }

  /** Ends the retries, and resolves when the decisions asked for are made. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    clearTimeout(this.#retry);
    await this.#deciding;
    clearTimeout(this.#retry);
  }

  async #decide(): Promise<void> {
    clearTimeout(this.#retry);
    const { dataplane, saved, logger, onDecision } = this.#options;
    const nodeProxy = this.#nodeProxy;
    const desired = nodeProxy === undefined ? (saved ?? builtIn()) : configOfNodeProxy(nodeProxy.spec);
    await this.#acceptSavedMode(desired);
    const refusal = await this.#accept(desired);
    this.#decision = { nodeProxy, refusal };
    if (refusal !== undefined) {
      logger.warn('configuration refused', { ...refusal, stillInForce: dataplane.status.inForce?.revision });
      if (dataplane.status.accepted === undefined) await this.#fallBack();
    }
    const isIncomplete = refusal !== undefined || (dataplane.status.unserved ?? []).length > 0;
    if (isIncomplete && this.#isStarted)
      this.#retry = setTimeout(() => void this.decide(), this.#options.retryRefusedMs ?? 60_000);
    onDecision();
  }

  /**
   * Has the saved configuration accepted first where the desired mode is another, so that there is a way back to it.
   */
  async #acceptSavedMode(desired: DesiredConfig | Refusal): Promise<void> {
    const { dataplane, saved } = this.#options;
    if (dataplane.status.accepted !== undefined || saved === undefined || 'reason' in desired) return;
    if (saved.config.mode !== desired.config.mode) await this.#accept(saved);
  }

  /** Has the first of the saved and the built-in configuration accepted that the node can run. */
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
