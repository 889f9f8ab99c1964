/**
 * @module What the commands have in common. Each has a folder here, whose command.ts gives its flags, help and action;
 * the action loads the rest of the folder, so that a command loads only what it needs, when it runs.
 */
import { Command } from 'commander';
import { logLevels } from '../config.ts';

/** What a command is given by the program. */
export interface Program {
  readonly version: string;
  /** A signal that fires when the process is to stop; to be asked for once, when the command runs. */
  readonly stopSignal: () => AbortSignal;
}

/** The end of a help text, for commands whose exit statuses have no other meaning. */
export const exitCodes = `
Exit status: 0 done; 1 failed, or the input is not valid; 2 wrong usage.`;

/** A command that runs until it is stopped and serves its health and metrics, by default at these addresses. */
export function daemonCommand(name: string, addresses: { health: string; metrics: string }): Command {
  return new Command(name)
    .option(
      '--kubeconfig <file>',
      "how to reach the API server; without it the Pod's service account, at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT",
    )
    .option(
      '--health-address <address>',
      'where /healthz, /livez and /readyz are served; :PORT is on all addresses, of IPv4 and IPv6',
      addresses.health,
    )
    .option('--metrics-address <address>', 'where /metrics is served', addresses.metrics)
    .option('--log-level <level>', logLevels.join(', '), 'info');
}
