/**
 * Requests to a child process and its results, a line of JSON each.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Requests {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  constructor(process: ChildProcess) {
    this.#process = process;
    if (process.stdout === null) throw new Error('a worker without standard output');
    createInterface({ input: process.stdout }).on('line', (line) => {
      const { id, result } = JSON.parse(line) as { id: number; result: unknown };
      this.#pending.get(id)?.(result);
      this.#pending.delete(id);
    });
  }

  /** The result that comes without a request, with id 0. */
  first(): Promise<unknown> {
    return this.#result(0);
  }

  send(
    op: 'listen' | 'ask' | 'count' | 'serveTraffic' | 'startTraffic' | 'endTraffic',
    details: object,
  ): Promise<unknown> {
    this.#lastId += 1;
    this.#process.stdin?.write(`${JSON.stringify({ id: this.#lastId, op, ...details })}\n`);
    return this.#result(this.#lastId);
  }

  #result(id: number): Promise<unknown> {
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
    });
  }
}
