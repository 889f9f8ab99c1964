/** An agent of either build as a process of its own, on this node. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const loggedCharacters = 3000;

export class ReplacedAgent {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  #log = '';

  /** `command`: with all arguments. It ends with this process, whatever happens. */
  constructor(command: readonly string[]) {
    this.#process = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream
        ?.setEncoding('utf8')
        .on('data', (text: string) => (this.#log = (this.#log + text).slice(-loggedCharacters)));
    this.#ended = once(this.#process, 'exit');
  }

  /** The end of it. */
  log(): string {
    return this.#log;
  }

  hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Resolves to what is wrong with how it ended. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly string[]> {
    if (this.hasEnded()) return [`the agent had ended by itself: ${this.#log}`];
    this.#process.kill(signal);
    const [status] = await this.#ended;
    return signal === 'SIGKILL' || status === 0 ? [] : [`the agent ended with ${String(status)}: ${this.#log}`];
  }
}

/** Of an agent's ports on this node; status 0 where nobody answers. */
export async function ask(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, body: await response.text() };
  } catch {
    return { status: 0, body: '' };
  }
}
