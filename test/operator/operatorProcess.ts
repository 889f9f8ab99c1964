/**
 * @module `proxyconfig operator` as a process of its own, from the bundle.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa, type ResultPromise } from 'execa';
import { bundle } from '../../.ci/build.ts';
import { waitFor } from '../support/waitFor.ts';

/** Starts operators, and in the end kills all that still run. */
export class OperatorProcesses {
  readonly #processes: OperatorProcess[] = [];
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async build(): Promise<OperatorProcesses> {
    const directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-operators-'));
    await bundle(directory);
    return new OperatorProcesses(directory);
  }

  async start(kubeconfig: string, env: Readonly<Record<string, string>> = {}): Promise<OperatorProcess> {
    const operator = new OperatorProcess(path.join(this.#directory, 'proxyconfig.js'), kubeconfig, env);
    this.#processes.push(operator);
    await waitFor('it has started', async () => operator.says('operator starts'), {
      timeoutMs: 20_000,
      explain: () => operator.log,
    });
    return operator;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((operator) => operator.end('SIGKILL')));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

export class OperatorProcess {
  readonly #process: ResultPromise<{ reject: false; all: true; buffer: false }>;
  log = '';

  constructor(program: string, kubeconfig: string, env: Readonly<Record<string, string>>) {
    const flags = ['--kubeconfig', kubeconfig, '--health-address', '127.0.0.1:0', '--metrics-address', '127.0.0.1:0'];
    this.#process = execa(process.execPath, [program, 'operator', ...flags], {
      reject: false,
      all: true,
      buffer: false,
      env,
    });
    this.#process.all.setEncoding('utf8').on('data', (text: string) => (this.log += text));
  }

  count(message: string): number {
    return this.log.split(`"message":"${message}"`).length - 1;
  }

  says(message: string): boolean {
    return this.count(message) > 0;
  }

  /** Throws when it does not lead in time. */
  async takesTheLead(timeoutMs: number): Promise<void> {
    await waitFor('it leads', async () => this.leads(), { timeoutMs, everyMs: 50, explain: () => this.log });
  }

  leads(): boolean {
    return this.count('leads') > this.count('leads no longer');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | undefined> {
    this.#process.kill(signal);
    return (await this.#process).exitCode;
  }
}

/** Which one of several that follow leads first, within the time that a lost leader is replaced in. */
export function firstToLead(operators: readonly OperatorProcess[]): Promise<OperatorProcess> {
  const explain = (): string => operators.map(({ log }) => log).join('\n');
  return waitFor('one of them leads', async () => operators.find((operator) => operator.leads()), {
    timeoutMs: 20_000,
    everyMs: 50,
    explain,
  });
}
