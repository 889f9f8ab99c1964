/**
 * A backend that programs nothing: it records what it was asked for, and fails or drifts as a test sets it.
 */
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import {
  type Backend,
  type Outdated,
  type Refusal,
  type SyncRequest,
  type SyncResult,
} from '../../src/backend/backend.ts';
import { SyncError } from '../../src/netfilter/errors.ts';

export interface RecordedSync {
  /** Milliseconds since the backend was made. */
  readonly at: number;
  readonly changed: readonly string[] | 'all';
  readonly config: NodeConfig;
}

export class RecordingBackend implements Backend {
  readonly syncs: RecordedSync[] = [];
  /** How many of the next syncs fail. */
  failing = 0;
  failureReason = 'RestoreFailed';
  durationMs = 0;
  drift: string | Outdated | undefined;
  /** What the next syncs leave unfinished. */
  readonly unfinished: (readonly string[])[] = [];
  refuse: (config: NodeConfig) => Refusal | undefined = () => undefined;
  concurrent = 0;
  maxConcurrent = 0;
  readonly #madeAt = performance.now();

  preflight(config: NodeConfig): Promise<Refusal | undefined> {
    return Promise.resolve(this.refuse(config));
  }

  async sync({ state, changed }: SyncRequest): Promise<SyncResult> {
    this.syncs.push({
      at: Math.round(performance.now() - this.#madeAt),
      changed: changed === 'all' ? 'all' : [...changed].sort(),
      config: state.config,
    });
    await this.#alone(async () => {
      if (this.durationMs > 0) await new Promise((resolve) => setTimeout(resolve, this.durationMs));
    });
    if (this.failing > 0) {
      this.failing -= 1;
      throw new SyncError(this.failureReason, 'set to fail', { cause: new Error('iptables-restore: secret words') });
    }
    this.drift = undefined;
    const keys = [...state.keys()];
    const endpoints = keys
      .flatMap((key) => state.ports(key))
      .reduce((sum, port) => sum + port.clusterEndpoints.length, 0);
    const computed = changed === 'all' ? keys.length : changed.size;
    return {
      full: changed === 'all',
      servicePortsPlanned: computed,
      linesSent: computed,
      commandsRun: 1,
      services: keys.length,
      endpoints,
      rulesHash: `hash-${keys.length}-${endpoints}`,
      rulesByTable: { nat: keys.length },
      unfinished: this.unfinished.shift() ?? [],
    };
  }

  async findDrift(): Promise<string | Outdated | undefined> {
    await this.#alone(() => Promise.resolve());
    return this.drift;
  }

  cleanup(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async #alone(action: () => Promise<void>): Promise<void> {
    this.concurrent += 1;
    this.maxConcurrent = Math.max(this.maxConcurrent, this.concurrent);
    await action();
    this.concurrent -= 1;
  }
}
