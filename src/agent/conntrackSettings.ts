/**
 * The kernel settings of `spec.conntrack`. The size of the table is only ever raised, and 0 leaves a setting to whoever
 * made it.
 */
import { availableParallelism } from 'node:os';
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { ConditionNow } from '../api/conditions.ts';
import type { Logger } from '../observability/logger.ts';
import type { Sysctls } from '../system/sysctl.ts';
import type { DesiredConfig } from './desiredConfig.ts';

export interface Setting {
  /** Below `net/netfilter/`. */
  readonly name: string;
  readonly value: number;
  /** A greater value that is there already stays. */
  readonly atLeast: boolean;
}

/** The hash table is a fourth of the entries, as kube-proxy makes it. */
const entriesPerBucket = 4;

export function conntrackSettings(config: NodeConfig['conntrack'], cpus = availableParallelism()): readonly Setting[] {
  const size = config.maxPerCore > 0 ? Math.max(config.maxPerCore * cpus, config.min) : 0;
  const settings: readonly Setting[] = [
    { name: 'nf_conntrack_max', value: size, atLeast: true },
    { name: 'nf_conntrack_buckets', value: Math.ceil(size / entriesPerBucket), atLeast: true },
    exact('nf_conntrack_tcp_timeout_established', config.tcpEstablishedTimeoutSeconds),
    exact('nf_conntrack_tcp_timeout_close_wait', config.tcpCloseWaitTimeoutSeconds),
    exact('nf_conntrack_udp_timeout', config.udpTimeoutSeconds),
    exact('nf_conntrack_udp_timeout_stream', config.udpStreamTimeoutSeconds),
    exact('nf_conntrack_tcp_be_liberal', config.tcpBeLiberal ? 1 : 0),
  ];
  return settings.filter(({ value }) => value > 0);
}

function exact(name: string, value = 0): Setting {
  return { name, value, atLeast: false };
}

/** Writes what differs; gives what the kernel did not let it write, e.g. `nf_conntrack_max = 262144 (is 131072)`. */
export async function applySettings(settings: readonly Setting[], sysctls: Sysctls): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const setting of settings) {
    const { name, value } = setting;
    const before = await valueOf(name, sysctls);
    if (isMet(setting, before)) continue;
    try {
      await sysctls.write(`net/netfilter/${name}`, String(value));
    } catch {
      // What counts is what the kernel says afterwards.
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

function isMet({ value, atLeast }: Setting, found: number | undefined): boolean {
  return found !== undefined && (atLeast ? found >= value : found === value);
}

/** For the NodeProxy: no condition where all was written. */
export function settingsCondition(refused: readonly string[]): readonly ConditionNow[] {
  if (refused.length === 0) return [];
  const [first, ...others] = refused;
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  const message = `The kernel does not let the agent set ${first}${more}. Mount the node's /proc/sys/net at /host/proc/sys/net, or set 0 in spec.conntrack.`;
  return [{ type: 'ConntrackSettings', status: 'False', reason: 'NotWritable', message }];
}

export interface ConntrackSettingsOptions {
  readonly sysctls: Sysctls;
  readonly logger: Logger;
  /** The conditions may have changed. */
  readonly onStatusChange: () => void;
}

/** The settings of the configuration in force, and what the kernel says to them. */
export class ConntrackSettings {
  readonly #options: ConntrackSettingsOptions;
  #appliedOf: DesiredConfig | undefined;
  #conditions: readonly ConditionNow[] = [];

  constructor(options: ConntrackSettingsOptions) {
    this.#options = options;
  }

  conditions(): readonly ConditionNow[] {
    return this.#conditions;
  }

  /**
   * Once for each configuration, when its rules stand: they bring the kernel's module along, and with it the settings.
   * Never throws.
   */
  async apply(inForce: DesiredConfig): Promise<void> {
    if (inForce === this.#appliedOf) return;
    this.#appliedOf = inForce;
    const { sysctls, logger, onStatusChange } = this.#options;
    try {
      const refused = await applySettings(conntrackSettings(inForce.config.conntrack), sysctls);
      if (inForce !== this.#appliedOf) return;
      if (refused.length > 0)
        logger.warn('conntrack settings that the kernel does not let the agent write', { refused });
      this.#conditions = settingsCondition(refused);
      onStatusChange();
    } catch (error) {
      logger.error('the conntrack settings could not be applied', { error });
    }
  }
}
