/**
 * @module One operator's way to the API server, on which its writes are seen, and can be held up as by a slow network:
 * they arrive whatever becomes of who sent them.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as requestOverTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { loadKubeConfig, type KubeConfig } from '../../src/kube/kubeConfig.ts';

/** What an overloaded API server asks for. */
export const retryAfterSeconds = 2;

export interface AnsweredWrite {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export class Gateway {
  readonly #upstream: KubeConfig;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #directory: string;
  #overloadedFor: ((path: string) => boolean) | undefined;
  #holdBack: ((path: string) => boolean) | undefined;
  #released = Promise.withResolvers<void>();
  /** Writes that wait here. */
  held = 0;
  /** Everything but GET, in the order of the API server's answers. */
  readonly writes: AnsweredWrite[] = [];
  /** When writes were refused as those of too many requests, by this process's monotonic clock. */
  readonly refusedAt: number[] = [];
  /** How many requests have come. */
  requests = 0;

  private constructor(upstream: KubeConfig, directory: string) {
    this.#upstream = upstream;
    this.#directory = directory;
    this.#agent = new Agent({ keepAlive: true, ...upstream.tls });
    this.#server = createServer((incoming, outgoing) => {
      this.#pass(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  /** To the API server of that kubeconfig, as its user. */
  static async open(kubeconfig: string): Promise<Gateway> {
    const gateway = new Gateway(
      loadKubeConfig({ kubeconfig }),
      await mkdtemp(path.join(tmpdir(), 'proxyconfig-gateway-')),
    );
    gateway.#server.listen(0, '127.0.0.1');
    await once(gateway.#server, 'listening');
    const server = `http://127.0.0.1:${(gateway.#server.address() as AddressInfo).port}`;
    const context = { name: 'gateway', context: { cluster: 'gateway', user: 'gateway' } };
    const file = {
      'current-context': 'gateway',
      contexts: [context],
      clusters: [{ name: 'gateway', cluster: { server } }],
      users: [{ name: 'gateway', user: {} }],
    };
    await writeFile(gateway.kubeconfig, JSON.stringify(file));
    return gateway;
  }

  /** For who goes this way. */
  get kubeconfig(): string {
    return path.join(this.#directory, 'kubeconfig');
  }

  /** From now on, writes to these paths wait. */
  hold(paths: (path: string) => boolean): void {
    this.#holdBack = paths;
  }

  /** From now on, writes to these paths are too many requests: `undefined` ends it. */
  overload(paths: ((path: string) => boolean) | undefined): void {
    this.#overloadedFor = paths;
  }

  release(): void {
    this.#holdBack = undefined;
    this.#released.resolve();
    this.#released = Promise.withResolvers();
  }

  async close(): Promise<void> {
    this.release();
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    this.requests += 1;
    const { method = 'GET', url = '/' } = incoming;
    const { host: _host, ...headers } = incoming.headers;
    const body = await text(incoming);
    if (method !== 'GET') await this.#heldUp(url);
    if (method !== 'GET' && this.#overloadedFor?.(url)) return this.#refuse(outgoing);
    const further = requestOverTls(this.#upstream.server + url, { agent: this.#agent, method, headers });
    if (method === 'GET') outgoing.once('close', () => further.destroy());
    further.end(body);
    const [answer] = (await once(further, 'response')) as [IncomingMessage];
    if (method !== 'GET') this.writes.push({ method, path: url.split('?')[0] ?? '', status: answer.statusCode ?? 0 });
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on('error', () => outgoing.destroy()).pipe(outgoing);
  }

  async #heldUp(url: string): Promise<void> {
    if (!this.#holdBack?.(url)) return;
    this.held += 1;
    await this.#released.promise;
    this.held -= 1;
  }

  #refuse(outgoing: ServerResponse): void {
    this.refusedAt.push(performance.now());
    outgoing.writeHead(429, { 'retry-after': String(retryAfterSeconds) }).end();
  }
}
