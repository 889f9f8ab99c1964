/**
 * Small HTTP endpoints for health and metrics.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { limitConnections } from './connectionLimit.ts';

/** A response as a whole. */
export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpServerOptions {
  /** Without a host, all addresses of both families, of IPv4 alone where the kernel has no IPv6. */
  readonly address: { readonly host?: string | undefined; readonly port: number; readonly ipv6Only?: boolean };
  /** By path, for GET and HEAD; other methods get 405, and a route that throws gives 500. */
  readonly routes: Readonly<Record<string, () => HttpResponse | Promise<HttpResponse>>>;
  /** For all other paths; default 404. */
  readonly fallback?: () => HttpResponse;
  /**
   * Called when the port cannot be listened on, and not again for the same reason before it could be. It is tried every
   * `retryMs`.
   */
  readonly onUnavailable?: (error: Error) => void;
  /** Default 2000. */
  readonly retryMs?: number;
}

/**
 * As `startHttpServer`, with `localhost` for 127.0.0.1 and ::1, each a server of its own: whoever asks may try either.
 * Where the kernel has no IPv6 there is no ::1.
 */
export function startServers(options: HttpServerOptions): readonly HttpServer[] {
  const { address } = options;
  const hosts = address.host === 'localhost' ? loopbackAddresses() : [address.host];
  return hosts.map((host) => startHttpServer({ ...options, address: { ...address, host } }));
}

function loopbackAddresses(): readonly string[] {
  const own = Object.values(os.networkInterfaces()).flatMap((addresses = []) => addresses);
  return ['127.0.0.1', ...(own.some(({ address }) => address === '::1') ? ['::1'] : [])];
}

/** A server that listens, or waits for its port. */
export interface HttpServer {
  /** The port in use; undefined while another process holds it. */
  port(): number | undefined;
  /** Closes every connection at once; resolves when the port is free. */
  stop(): Promise<void>;
}

const maxConnections = 100;
/** All in ms. A connection may be idle for 2 to 3 s, and a response may wait for 30 s for its reader. */
const timing = {
  connectionsCheckingInterval: 1000,
  headersTimeout: 2000,
  keepAliveTimeout: 2000,
  requestTimeout: 10_000,
};
const responseTimeoutMs = 30_000;
/** Connections that the kernel keeps for us until we take them; it lowers this to net.core.somaxconn. */
const backlog = 4096;

/**
 * Listens as soon as the port is free. Connections that ask nothing, however many, keep nobody from being answered:
 * they are closed after 2 s, and at once where more than 100 are open. Never throws: a port that is taken is no reason
 * to end, because the proxy that ran before on a node may hold it for a while, and Services matter more.
 */
export function startHttpServer(options: HttpServerOptions): HttpServer {
  const { address, onUnavailable, retryMs = 2000 } = options;
  const server = http.createServer(timing, (request, response) => {
    void respond(options, request, response);
  });
  server.setTimeout(responseTimeoutMs);
  limitConnections(server, maxConnections);
  let retry: NodeJS.Timeout | undefined;
  let told: string | undefined;
  const listen = (): void => void server.listen({ ...address, backlog });
  server.on('listening', () => (told = undefined));
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (told !== error.code) onUnavailable?.(error);
    told = error.code;
    retry = setTimeout(listen, retryMs);
  });
  listen();
  return {
    port: () => (server.listening ? (server.address() as AddressInfo).port : undefined),
    stop: () => {
      clearTimeout(retry);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function respond(
  options: HttpServerOptions,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { status, contentType, body, headers } = await responseTo(options, request);
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function responseTo(
  { routes, fallback = notFound }: HttpServerOptions,
  { method, url = '/' }: http.IncomingMessage,
): Promise<HttpResponse> {
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET and HEAD are allowed\n');
  const path = url.split('?', 1)[0] ?? '/';
  const route = Object.hasOwn(routes, path) ? routes[path] : fallback;
  try {
    return await (route ?? fallback)();
  } catch {
    return plain(500, 'internal error\n');
  }
}

function notFound(): HttpResponse {
  return plain(404, 'not found\n');
}

/** A response in plain text. */
export function plain(status: number, body: string): HttpResponse {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

/** A response in JSON. */
export function json(status: number, body: object): HttpResponse {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}
