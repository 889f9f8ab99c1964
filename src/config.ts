/**
 * Flags and environment -> one frozen configuration per command. The only reader of the environment.
 */
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';

/** Wrong usage of the command line; the message names the flag and the remedy. Exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** For `proxyconfig agent`. */
export interface AgentConfig {
  readonly version: string;
  readonly kubernetes: KubernetesAccess;
  readonly nodeName: string;
  /** For `/healthz` and `/livez`, which load balancers and the kubelet ask from outside the node. */
  readonly healthAddress: ListenAddress;
  readonly metricsAddress: ListenAddress;
  /** Absolute path; holds the last known good configuration. */
  readonly stateDirectory: string;
  readonly logLevel: LogLevel;
}

/** For `proxyconfig operator`. */
export interface OperatorConfig {
  readonly version: string;
  readonly kubernetes: KubernetesAccess;
  /** For `/healthz` and `/livez`. */
  readonly healthAddress: ListenAddress;
  readonly metricsAddress: ListenAddress;
  readonly logLevel: LogLevel;
}

/** As `loadKubeConfig` takes it. */
export interface KubernetesAccess {
  /** Path of a kubeconfig file; without it the Pod's service account is used. */
  readonly kubeconfig?: string | undefined;
  /** `https://host:port` of KUBERNETES_SERVICE_HOST and _PORT; absent with a kubeconfig, which names its own. */
  readonly server?: string | undefined;
}

/** For `proxyconfig status`. */
export interface StatusConfig {
  readonly version: string;
  /** One ProxyConfig; left out, all. */
  readonly name?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly watch: boolean;
  readonly output: StatusOutput;
  readonly terminal: TerminalConfig;
}

/** Forms of the output of `proxyconfig status`. */
export const statusOutputs = ['text', 'json', 'yaml'] as const;
export type StatusOutput = (typeof statusOutputs)[number];

/** What standard output can show. */
export interface TerminalConfig {
  /** A terminal on which lines can be drawn over. */
  readonly isInteractive: boolean;
  readonly color: boolean;
  /** The locale says that characters beyond ASCII are shown. */
  readonly unicode: boolean;
}

/** Where a server of ours listens. */
export interface ListenAddress {
  /** An IP address without brackets; `localhost` for those of this machine; absent for all. */
  readonly host?: string | undefined;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/** Gravest first: a level includes those before it. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

type Environment = Readonly<Record<string, string | undefined>>;

/** Flags as the command line gives them, defaults filled in. */
export interface OperatorFlags {
  readonly kubeconfig?: string;
  readonly healthAddress: string;
  readonly metricsAddress: string;
  readonly logLevel: string;
}
export interface AgentFlags extends OperatorFlags {
  readonly node?: string;
  readonly stateDir: string;
}

export interface StatusFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly watch?: boolean;
  readonly output: StatusOutput;
}

/**
 * The configuration of an agent; NODE_NAME is the node's name where no flag gives it. Throws UsageError where a flag or
 * a variable is missing or wrong.
 */
export function agentConfig(flags: AgentFlags, version: string, env: Environment = process.env): AgentConfig {
  const nodeName = flags.node ?? env['NODE_NAME'] ?? '';
  if (nodeName === '')
    throw new UsageError('--node is required: the name of this Node as kubectl get nodes shows it (or set NODE_NAME)');
  if (!flags.stateDir.startsWith('/'))
    throw new UsageError(`--state-dir must be an absolute path, not '${flags.stateDir}'`);
  return Object.freeze({ ...operatorConfig(flags, version, env), nodeName, stateDirectory: flags.stateDir });
}

/** The configuration of an operator. Throws UsageError where a flag or a variable is missing or wrong. */
export function operatorConfig(flags: OperatorFlags, version: string, env: Environment = process.env): OperatorConfig {
  return Object.freeze({
    version,
    kubernetes: kubernetesAccess(flags.kubeconfig, env),
    healthAddress: listenAddress('--health-address', flags.healthAddress),
    metricsAddress: listenAddress('--metrics-address', flags.metricsAddress),
    logLevel: logLevel(flags.logLevel),
  });
}

/**
 * The configuration of `proxyconfig status`. Without a kubeconfig here, kubectl's rules hold: KUBECONFIG,
 * ~/.kube/config, the Pod's service account. Throws UsageError where the file cannot be read.
 */
export function statusConfig(
  { kubeconfig, context, watch = false, output }: StatusFlags,
  { name, version, isTerminal }: { name?: string | undefined; version: string; isTerminal: boolean },
  env: Environment = process.env,
): StatusConfig {
  if (kubeconfig === '')
    throw new UsageError('--kubeconfig must name a file; leave it out to use the one that kubectl uses');
  const file = kubeconfig === undefined ? undefined : readable('--kubeconfig', kubeconfig);
  return Object.freeze({
    version,
    name,
    kubeconfig: file,
    context,
    watch,
    output,
    terminal: terminalConfig(isTerminal, env),
  });
}

/**
 * https://no-color.org: NO_COLOR counts when it is set to anything. The first of the locale's variables that is set
 * decides (POSIX).
 */
function terminalConfig(isTerminal: boolean, env: Environment): TerminalConfig {
  const isInteractive = isTerminal && env['TERM'] !== 'dumb';
  const locale =
    [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => value !== undefined && value !== '') ?? '';
  return Object.freeze({
    isInteractive,
    color: isInteractive && (env['NO_COLOR'] ?? '') === '',
    unicode: isInteractive && /utf-?8/i.test(locale),
  });
}

function kubernetesAccess(kubeconfig: string | undefined, env: Environment): KubernetesAccess {
  if (kubeconfig === '')
    throw new UsageError("--kubeconfig must name a file; leave it out to use the Pod's service account");
  if (kubeconfig !== undefined) return Object.freeze({ kubeconfig: readable('--kubeconfig', kubeconfig) });
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || host === '') {
    throw new UsageError(
      'no API server: give --kubeconfig FILE, or run as a Pod, where KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are set',
    );
  }
  if (!isPort(port)) throw new UsageError(`KUBERNETES_SERVICE_PORT must be a port number, not '${port}'`);
  return Object.freeze({ server: `https://${isIP(host) === 6 ? `[${host}]` : host}:${port}` });
}

function readable(flag: string, file: string): string {
  try {
    accessSync(file, constants.R_OK);
    return file;
  } catch (cause) {
    throw new UsageError(`${flag} must name a file that can be read; ${file} cannot`, { cause });
  }
}

function listenAddress(flag: string, text: string): ListenAddress {
  const [, bracketed, plain = '', port = ''] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const isHost =
    bracketed === undefined ? ['', 'localhost'].includes(plain) || isIP(plain) === 4 : isIP(bracketed) === 6;
  if (!isPort(port) || !isHost) {
    throw new UsageError(
      `${flag} must be ADDRESS:PORT, e.g. localhost:10249 or [::1]:10249, or :PORT for all addresses, not '${text}'`,
    );
  }
  return Object.freeze({ host: bracketed ?? (plain || undefined), port: Number(port) });
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

function logLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level === undefined) throw new UsageError(`--log-level must be one of ${logLevels.join(', ')}, not '${text}'`);
  return level;
}
