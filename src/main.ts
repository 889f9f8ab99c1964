#!/usr/bin/env node
/**
 * @module The command line: puts the commands of src/cli together, and turns signals and errors into the end of the
 * process.
 */
import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { agentCommand } from './cli/agent/command.ts';
import { cleanupCommand } from './cli/cleanup/command.ts';
import { exitCodes, type Program } from './cli/commands.ts';
import { operatorCommand } from './cli/operator/command.ts';
import { renderCommand } from './cli/render/command.ts';
import { statusCommand } from './cli/status/command.ts';
import { UsageError } from './config.ts';
import { printableLines } from './observability/printable.ts';

const commands: readonly ((program: Program) => Command)[] = [
  agentCommand,
  operatorCommand,
  statusCommand,
  renderCommand,
  cleanupCommand,
];

function root(): Command {
  const program = new Command('proxyconfig')
    .description('Serves Kubernetes Services on every node in place of kube-proxy, as ProxyConfig objects say.')
    .version(manifest.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help; also: proxyconfig COMMAND --help')
    .addHelpText('after', `${exitCodes}\nThe ProxyConfig's own fields: kubectl explain pxc.spec`)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(printableLines(text)) })
    .allowExcessArguments(false)
    .showHelpAfterError('(proxyconfig --help, or proxyconfig COMMAND --help, says more)');
  for (const command of commands)
    program.addCommand(command({ version: manifest.version, stopSignal }).copyInheritedSettings(program));
  return program;
}

/** Fires on the first SIGTERM or SIGINT; a second one ends the process at once, as it does by default. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
  return stop.signal;
}

/** Commander prints its own errors itself. */
function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`proxyconfig: ${printableLines(error instanceof Error ? error.message : String(error))}\n`);
  return error instanceof UsageError ? 2 : 1;
}

/** Ends the process when its readers have all that was written: a pipe holds 64 kB, and rules are longer. */
function end(status: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
}

// A reader that has seen enough (`proxyconfig render … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
await root()
  .parseAsync()
  .then(
    () => end(Number(process.exitCode ?? 0)),
    (error: unknown) => end(exitCodeFor(error)),
  );
