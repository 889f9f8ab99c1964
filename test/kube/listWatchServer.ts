/**
 * @module A small HTTP server that lists and watches ConfigMap-like objects as the API server does, and misbehaves when
 * told to.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StoredObject {
  metadata: { name: string; namespace: string; uid: string; resourceVersion: string; generation?: number };
  data: string;
}

/** What the server does with the next request of a kind instead of answering it. */
export type Fault =
  | { readonly status: number; readonly reason?: string; readonly retryAfter?: number }
  | { readonly body: string }
  | { readonly cut: true }
  | { readonly hang: true };

export class ListWatchServer {
  readonly #type: { readonly apiVersion: string; readonly kind: string };
  readonly objects = new Map<string, StoredObject>();
  readonly requests: URL[] = [];
  readonly listFaults: Fault[] = [];
  readonly watchFaults: Fault[] = [];
  /** Pages end at this many objects whatever the client asks for. */
  pageSize = 500;
  /** What every list has among its objects beside the stored ones. */
  readonly strayItems: unknown[] = [];
  /** Makes lists endless: what the page has after the given one, and its token. */
  nextPage: ((previous: number) => { readonly items: readonly unknown[]; readonly token: string }) | undefined;
  /** Hits the next request for a list's second or later page. */
  nextPageFault: Fault | undefined;
  resourceVersion = 100;
  readonly #watches = new Set<http.ServerResponse>();
  readonly #server = http.createServer((request, response) => this.#answer(request, response));

  constructor(type = { apiVersion: 'v1', kind: 'ConfigMap' }) {
    this.#type = type;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get watching(): number {
    return this.#watches.size;
  }

  count(kind: 'list' | 'watch'): number {
    return this.requests.filter((url) => url.searchParams.has('watch') === (kind === 'watch')).length;
  }

  /** Writes an object and tells the watches, unless `silently`: then they miss it. */
  put(
    name: string,
    data: string,
    {
      uid = `uid-${name}`,
      silently = false,
      generation,
    }: { uid?: string; silently?: boolean; generation?: number } = {},
  ): void {
    const type = this.objects.has(name) ? 'MODIFIED' : 'ADDED';
    const object = {
      ...this.#type,
      metadata: {
        name,
        namespace: 'ns',
        uid,
        resourceVersion: this.#nextVersion(),
        ...(generation === undefined ? {} : { generation }),
      },
      data,
    };
    this.objects.set(name, object);
    if (!silently) this.send({ type, object });
  }

  remove(name: string, { silently = false } = {}): void {
    const object = this.objects.get(name);
    this.objects.delete(name);
    if (object === undefined) return;
    object.metadata.resourceVersion = this.#nextVersion();
    if (!silently) this.send({ type: 'DELETED', object });
  }

  bookmark(resourceVersion: number): void {
    this.send({
      type: 'BOOKMARK',
      object: { ...this.#type, metadata: { resourceVersion: String(resourceVersion) } },
    });
  }

  send(event: object): void {
    for (const response of this.#watches) response.write(`${JSON.stringify(event)}\n`);
  }

  /** Ends all watches: in order, or in the middle of a line. */
  endWatches(how: 'closed' | 'cut'): void {
    for (const response of this.#watches) {
      if (how === 'closed') response.end();
      else response.write('{"type":"ADDED","obj', () => response.destroy());
    }
  }

  #nextVersion(): string {
    this.resourceVersion += 1;
    return String(this.resourceVersion);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://server');
    this.requests.push(url);
    const isWatch = url.searchParams.get('watch') === 'true';
    const fault = isWatch ? this.watchFaults.shift() : this.#listFault(url);
    if (fault !== undefined) this.#fail(fault, response);
    else if (isWatch) this.#watch(response);
    else this.#list(url, response);
  }

  #listFault(url: URL): Fault | undefined {
    if (!url.searchParams.has('continue')) return this.listFaults.shift();
    const fault = this.nextPageFault;
    this.nextPageFault = undefined;
    return fault;
  }

  #fail(fault: Fault, response: http.ServerResponse): void {
    if ('hang' in fault) return;
    if ('body' in fault) {
      response.end(fault.body);
      return;
    }
    if ('cut' in fault) {
      response.destroy();
      return;
    }
    if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter);
    response.writeHead(fault.status).end(
      JSON.stringify({
        kind: 'Status',
        code: fault.status,
        reason: fault.reason ?? 'Unknown',
        message: 'told to fail',
      }),
    );
  }

  #watch(response: http.ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
  }

  #list(url: URL, response: http.ServerResponse): void {
    const from = Number(url.searchParams.get('continue') ?? 0);
    const size = Math.min(this.pageSize, Number(url.searchParams.get('limit') ?? this.pageSize));
    const all = [...this.strayItems, ...this.objects.values()];
    const next = from + size < all.length ? { continue: String(from + size) } : {};
    if (this.nextPage === undefined) this.#respondList(response, next, all.slice(from, from + size));
    else {
      const { items, token } = this.nextPage(from);
      this.#respondList(response, { continue: token }, items);
    }
  }

  #respondList(response: http.ServerResponse, next: { continue?: string }, items: readonly unknown[]): void {
    const { apiVersion, kind } = this.#type;
    const metadata = { resourceVersion: String(this.resourceVersion), ...next };
    response.end(JSON.stringify({ apiVersion, kind: `${kind}List`, metadata, items }));
  }
}
