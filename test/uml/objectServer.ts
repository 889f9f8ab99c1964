/**
 * As much of an API server as kube-proxy and an agent need: lists and watches of JSON, of whatever it was told last. Of
 * what clients write it keeps the status of a NodeProxy, and thanks for the rest. A real one beside etcd would take
 * longer to start in this kernel than all packets together.
 */
import http from 'node:http';
import { json } from 'node:stream/consumers';

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

type Stored = KubeObject & { readonly metadata: { readonly uid: string; readonly resourceVersion: string } };

const kinds: Readonly<Record<string, string>> = {
  '/api/v1/services': 'Service',
  '/api/v1/nodes': 'Node',
  '/apis/discovery.k8s.io/v1/endpointslices': 'EndpointSlice',
  '/apis/networking.k8s.io/v1/servicecidrs': 'ServiceCIDR',
  '/apis/proxyconfig.dev/v1alpha1/nodeproxies': 'NodeProxy',
};

type Selects = (object: Stored) => boolean;

export class ObjectServer {
  readonly #stored = new Map<string, Stored>();
  readonly #watches = new Map<http.ServerResponse, Selects>();
  readonly #server = http.createServer((request, response) => this.#answer(request, response));
  #version = 1;

  async start(address: string, port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, address, resolve));
  }

  /** May be started again, with the same objects. */
  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** From now on there are just these objects; watches hear of deletions first, then of the others in their order. */
  replace(objects: readonly KubeObject[]): void {
    const wanted = new Set(objects.map(keyOf));
    for (const [key, object] of this.#stored) if (!wanted.has(key)) this.delete(object);
    for (const object of objects) this.put(object);
  }

  put(object: KubeObject): void {
    const type = this.#stored.has(keyOf(object)) ? 'MODIFIED' : 'ADDED';
    const stored = this.#stamped(object);
    this.#stored.set(keyOf(object), stored);
    this.#send(type, stored);
  }

  delete(object: KubeObject): void {
    const stored = this.#stored.get(keyOf(object));
    if (stored === undefined) return;
    this.#stored.delete(keyOf(object));
    this.#send('DELETED', this.#stamped(stored));
  }

  /** undefined where there is none. */
  get(object: KubeObject): KubeObject | undefined {
    return this.#stored.get(keyOf(object));
  }

  #stamped(object: KubeObject): Stored {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, uid: keyOf(object), resourceVersion: String(this.#version) } };
  }

  #send(type: string, object: Stored): void {
    for (const [response, selects] of this.#watches)
      if (selects(object)) response.write(`${JSON.stringify({ type, object })}\n`);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://server');
    const [path, kind] = Object.entries(kinds).find(([prefix]) => pathname.startsWith(prefix)) ?? ['', ''];
    const selects = selectorOf(kind, searchParams);
    const objects = [...this.#stored.values()].filter(selects);
    response.setHeader('content-type', 'application/json');
    if (request.method !== 'GET') void this.#write(request, pathname).then(() => respond(response, {}));
    else if (pathname !== path)
      respond(
        response,
        objects.find(({ metadata }) => pathname === `${path}/${metadata.name}`),
      );
    else if (searchParams.get('watch') === 'true')
      this.#watch(response, { kind, apiVersion: versionOf(path) }, searchParams, selects);
    else
      respond(response, {
        apiVersion: versionOf(path),
        kind: `${kind}List`,
        metadata: { resourceVersion: String(this.#version) },
        items: objects,
      });
  }

  async #write(request: http.IncomingMessage, pathname: string): Promise<void> {
    const body = (await json(request).catch(() => ({}))) as object;
    const name = /^\/apis\/proxyconfig\.dev\/v1alpha1\/nodeproxies\/([^/]+)\/status$/.exec(pathname)?.[1];
    const written = [...this.#stored.values()].find(
      ({ kind, metadata }) => kind === 'NodeProxy' && metadata.name === name,
    );
    if (written !== undefined && 'status' in body) this.put(Object.assign({}, written, { status: body.status }));
  }

  /** With sendInitialEvents the watch begins with all objects, and a bookmark says where they end. */
  #watch(
    response: http.ServerResponse,
    { kind, apiVersion }: { kind: string; apiVersion: string },
    parameters: URLSearchParams,
    selects: Selects,
  ): void {
    response.flushHeaders();
    this.#watches.set(response, selects);
    response.on('close', () => this.#watches.delete(response));
    const since = Number(parameters.get('resourceVersion'));
    const news = [...this.#stored.values()].filter(
      (object) => selects(object) && Number(object.metadata.resourceVersion) > since,
    );
    for (const object of news) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    if (parameters.get('sendInitialEvents') !== 'true') return;
    const metadata = { resourceVersion: String(this.#version), annotations: { 'k8s.io/initial-events-end': 'true' } };
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { apiVersion, kind, metadata } })}\n`);
  }
}

/** Of the selectors only that by name, which each node asks for its own objects with. */
function selectorOf(kind: string, parameters: URLSearchParams): Selects {
  const name = /^metadata\.name=(.*)$/.exec(parameters.get('fieldSelector') ?? '')?.[1];
  return (object) => object.kind === kind && (name === undefined || object.metadata.name === name);
}

function versionOf(path: string): string {
  return /^\/apis?\/(.*)\//.exec(path)?.[1] ?? '';
}

const notFound = { apiVersion: 'v1', kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 };

function respond(response: http.ServerResponse, object: object | undefined): void {
  response.writeHead(object === undefined ? 404 : 200).end(JSON.stringify(object ?? notFound));
}

function keyOf({ kind, metadata: { namespace = '', name } }: KubeObject): string {
  return `${kind} ${namespace}/${name}`;
}
