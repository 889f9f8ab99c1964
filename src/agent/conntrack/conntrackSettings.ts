/**
 * The kernel settings of `spec.conntrack`. The size of the table is only ever raised, and 0 leaves a setting as it is.
 */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { shortList } from '../../api/shortList.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Sysctls } from '../../system/sysctl.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';

/** One sysctl and the value that it is to have. */
export interface Setting {
  /** Below `net/netfilter/`. */
  readonly name: string;
  readonly value: number;
  /** Whether a greater value that is there already stays. */
  readonly isMinimum: boolean;
}

/** kube-proxy makes the hash table a fourth of the entries (nf_conntrack_buckets). */
const entriesPerBucket = 4;

/**
 * What a configuration asks for; without the settings that it leaves alone. The table has `maxPerCore` entries a CPU,
 * or `min`. It is the node's: all CPUs that are online count, and not those that the agent may use (a CPU set, a limit
 * of its cgroup, which `availableParallelism` goes by).
 */
export function conntrackSettings(config: NodeConfig['conntrack'], cpuCount = cpus().length): readonly Setting[] {
  const size = config.maxPerCore > 0 ? Math.max(config.maxPerCore * cpuCount, config.min) : 0;
  const settings: readonly Setting[] = [
    { name: 'nf_conntrack_max', value: size, isMinimum: true },
    { name: 'nf_conntrack_buckets', value: Math.ceil(size / entriesPerBucket), isMinimum: true },
    exact('nf_conntrack_tcp_timeout_established', config.tcpEstablishedTimeoutSeconds),
    exact('nf_conntrack_tcp_timeout_close_wait', config.tcpCloseWaitTimeoutSeconds),
    exact('nf_conntrack_udp_timeout', config.udpTimeoutSeconds),
    exact('nf_conntrack_udp_timeout_stream', config.udpStreamTimeoutSeconds),
    exact('nf_conntrack_tcp_be_liberal', config.tcpBeLiberal ? 1 : 0),
  ];
  return settings.filter(({ value }) => value > 0);
}

function exact(name: string, value = 0): Setting {
  return { name, value, isMinimum: false };
}

/** Writes what differs; returns what the kernel did not take, e.g. `nf_conntrack_max = 262144 (is 131072)`. */
export async function applySettings(settings: readonly Setting[], sysctls: Sysctls): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const setting of settings) {
    const { name, value } = setting;
    const before = await valueOf(name, sysctls);
    if (isMet(setting, before)) continue;
    try {
      await sysctls.write(`net/netfilter/${name}`, String(value));
    } catch {
      // What counts is the value that is read afterwards.
    }
    const after = await valueOf(name, sysctls);
    if (!isMet(setting, after)) refused.push(`${name} = ${value} (is ${after ?? 'unknown to this kernel'})`);
  }
  return refused;
}

async function valueOf(name: string, sysctls: Sysctls): Promise<number | undefined> {
  const value = (await sysctls.read([`net/netfilter/${name}`]))?.get(`net/netfilter/${name}`);
  return value === undefined || value === '' ? undefined : Number(value);
}

function isMet({ value, isMinimum }: Setting, found: number | undefined): boolean {
  return found !== undefined && (isMinimum ? found >= value : found === value);
}

/** For the NodeProxy: none where all was written. `refused`: as `applySettings` returns it. */
export function settingsCondition(refused: readonly string[]): readonly NodeConditionNow[] {
  if (refused.length === 0) return [];
  const message = `The kernel does not let the agent set ${shortList(refused, 1)}. Mount the node's /proc/sys/net at /host/proc/sys/net, or set 0 in spec.conntrack.`;
  return [{ type: 'ConntrackSettings', status: 'False', reason: 'NotWritable', message }];
}

export interface ConntrackSettingsOptions {
  readonly sysctls: Sysctls;
  readonly logger: Logger;
  /** The conditions may have changed. */
  readonly onStatusChange: () => void;
  /** Until settings that the kernel refused are tried again, in milliseconds; default 60,000. */
  readonly retryMs?: number;
}

/** Applies the settings of the configuration in force until the kernel has them all, and keeps which it refuses. */
export class ConntrackSettings {
  readonly #options: ConntrackSettingsOptions;
  #wanted: DesiredConfig | undefined;
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #refused: readonly string[] = [];

  constructor(options: ConntrackSettingsOptions) {
    this.#options = options;
  }

  /** `ConntrackSettings` where some were refused. */
  conditions(): readonly NodeConditionNow[] {
    return settingsCondition(this.#refused);
  }

  /**
   * Applies a configuration in the background; later calls with the same object do nothing. To be called when its rules
   * are in the kernel: they load the module nf_conntrack, without which the settings do not exist. Never throws.
   */
  apply(inForce: DesiredConfig): void {
    if (inForce === this.#wanted) return;
    this.#wanted = inForce;
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#running = this.#running.then(() => this.#applyUntilTaken(inForce, abort.signal));
  }

  /** Resolves when nothing is being applied any more; nothing follows. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Somebody may mend what the kernel refuses. */
  async #applyUntilTaken({ config }: DesiredConfig, signal: AbortSignal): Promise<void> {
    const { sysctls, logger, retryMs = 60_000 } = this.#options;
    while (!signal.aborted) {
      try {
        const refused = await applySettings(conntrackSettings(config.conntrack), sysctls);
        if (signal.aborted) return;
        this.#setRefused(refused);
        if (refused.length === 0) return;
      } catch (error) {
        logger.error('the conntrack settings could not be applied', { error, retryInMs: retryMs });
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #setRefused(refused: readonly string[]): void {
    const { logger, onStatusChange } = this.#options;
    if (isDeepStrictEqual(refused, this.#refused)) return;
    this.#refused = refused;
    if (refused.length > 0) logger.warn('conntrack settings that the kernel does not let the agent write', { refused });
    onStatusChange();
  }
}
