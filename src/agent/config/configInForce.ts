/**
 * @module How a configuration comes into force on this node, and what follows when it is: the config controller
 * decides, the dataplane makes the rules, the prober tries them, the saved copy and the settings of connection tracking
 * follow.
 *
 * What the caller may rely on: all of it goes on whether anybody reads `facts` or not. `onChange` is only told.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Sysctls } from '../../system/sysctl.ts';
import { ConntrackSettings } from '../conntrack/conntrackSettings.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import type { DataplaneOptions } from '../dataplane/dataplaneOptions.ts';
import { Prober, type ProberOptions, type ProbeResult } from '../healthcheck/probe.ts';
import type { Store } from '../watch/store.ts';
import { type ConfigDecision, ConfigController } from './configController.ts';
import { SavedConfig } from './savedConfig.ts';

export interface ConfigInForceOptions extends Pick<
  DataplaneOptions,
  'makeBackend' | 'otherProxies' | 'listeners' | 'timing'
> {
  readonly store: Store;
  readonly stateDirectory: string;
  readonly sysctls: Sysctls;
  readonly logger: Logger;
  /** `facts` changed, but for what the syncs changed: `listeners` are told of those. */
  readonly onChange: () => void;
  /** For tests. */
  readonly dial?: ProberOptions['dial'];
  /** For tests; as `retryMs` of SavedConfig. */
  readonly saveRetryMs?: number;
}

/** What is known of the configuration, beside the dataplane's status. */
export interface ConfigFacts {
  /** Undefined before `start`. */
  readonly decision: ConfigDecision | undefined;
  readonly probe: ProbeResult | undefined;
  readonly conditions: readonly NodeConditionNow[];
}

export class ConfigInForce {
  readonly dataplane: Dataplane;
  readonly #options: ConfigInForceOptions;
  readonly #prober: Prober;
  readonly #conntrackSettings: ConntrackSettings;
  readonly #saved: SavedConfig;
  #configController: ConfigController | undefined;

  constructor(options: ConfigInForceOptions) {
    const { store, stateDirectory, sysctls, logger, dial, saveRetryMs, onChange } = options;
    this.#options = options;
    this.#saved = new SavedConfig({ stateDirectory, logger, onChange, ...(saveRetryMs && { retryMs: saveRetryMs }) });
    this.#conntrackSettings = new ConntrackSettings({ sysctls, logger, onStatusChange: onChange });
    this.#prober = new Prober({
      store,
      logger,
      onResult: (revision, result) => this.#onProbeResult(revision, result),
      ...(dial && { dial }),
    });
    this.dataplane = new Dataplane({
      ...options,
      onRequeue: () => this.#configController?.requeue(),
      onInForceChange: () => this.#onInForceChange(),
      onStatusChange: onChange,
    });
  }

  get facts(): ConfigFacts {
    return {
      decision: this.#configController?.decision,
      probe: this.#prober.result,
      conditions: [...this.#conntrackSettings.conditions(), ...this.#saved.conditions()],
    };
  }

  /** Reads the saved configuration and resolves to whether there is one. To be called once, before all that follows. */
  async load(): Promise<boolean> {
    const { logger } = this.#options;
    const saved = await this.#saved.load();
    this.#configController = new ConfigController({
      dataplane: this.dataplane,
      saved,
      logger,
      onDecision: () => this.#onDecision(),
    });
    return saved !== undefined;
  }

  /** Replaces the NodeProxy and decides on it; before `start` it is only kept. */
  setNodeProxy(nodeProxy: NodeProxy): void {
    this.#configController?.setNodeProxy(nodeProxy);
  }

  /** From now on rules are written. Resolves when the first configuration was decided on. */
  async start(): Promise<void> {
    await this.#configController?.decide();
  }

  /** Resolves when nothing of it runs any more; running syncs are canceled after `graceMs`. The rules stay. */
  async stop(graceMs: number): Promise<void> {
    // Both at once, so that a change of mode that is under way is canceled.
    await Promise.all([this.#configController?.stop(), this.dataplane.stop(graceMs)]);
    await Promise.all([this.#prober.stop(), this.#conntrackSettings.stop()]);
    await this.#saved.stop();
  }

  #onDecision(): void {
    this.#observe();
    this.#options.onChange();
  }

  /** The settings of connection tracking exist once the rules do; what is on probation is not what to start with. */
  #onInForceChange(): void {
    const { inForce, isProbing } = this.dataplane.status;
    if (inForce !== undefined) {
      this.#conntrackSettings.apply(inForce);
      if (isProbing !== true) this.#saved.save(inForce);
    }
    this.#observe();
    this.#options.onChange();
  }

  #observe(): void {
    this.#prober.observe(this.#configController?.decision.nodeProxy, this.dataplane.status.inForce);
  }

  /** A new mode stays only when its probe succeeds. */
  #onProbeResult(revision: string, result: ProbeResult | undefined): void {
    this.dataplane.handleProbeResult(revision, result);
    this.#options.onChange();
  }
}
