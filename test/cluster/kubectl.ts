import { execa } from 'execa';

export interface KubectlResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly input?: string | undefined;
  readonly env?: Record<string, string> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<KubectlResult>;

/**
 * A kubectl bound to one API server. `cacheDirectory` keeps what it learns about the API: by default that is shared by
 * host and port, and a later server on the same port would be taken for an earlier one.
 */
export function kubectlFor(command: readonly string[], kubeconfig: string, cacheDirectory: string): Kubectl {
  const [file = 'kubectl', ...prefix] = command;
  return async (args, options = {}) => {
    const bound = [...prefix, '--kubeconfig', kubeconfig, '--cache-dir', cacheDirectory, ...args];
    const result = await execa(file, bound, {
      reject: false,
      ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
      env: options.env ?? {},
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    return { exitCode: result.exitCode ?? 1, stdout: result.stdout, stderr: result.stderr };
  };
}
