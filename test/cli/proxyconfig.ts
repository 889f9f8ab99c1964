/**
 * @module Runs the program as a user does: a process with arguments, standard input, two outputs and an exit status.
 */
import { execa } from 'execa';

export interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export async function proxyconfig(args: readonly string[], { input = '', env = {} }: RunOptions = {}): Promise<Run> {
  const withoutCluster = {
    NODE_NAME: undefined,
    KUBERNETES_SERVICE_HOST: undefined,
    KUBERNETES_SERVICE_PORT: undefined,
  };
  const result = await execa('src/main.ts', args, {
    input,
    reject: false,
    stripFinalNewline: false,
    env: { ...withoutCluster, ...env },
  });
  return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
}

/** One of the manifests beside this file. */
export function manifest(name: string): string {
  return `test/cli/manifests/${name}`;
}
