/**
 * @module Small HTTP endpoints for health and metrics.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpServerOptions {
  /** Without a host, all addresses of both families; `::` is that too, unless `ipv6Only`. */
  readonly address: { readonly host?: string; readonly port: number; readonly ipv6Only?: boolean };
  /** By path; nothing but GET and HEAD is answered. */
  readonly routes: Readonly<Record<string, () => Answer | Promise<Answer>>>;
  /** For all other paths; default 404. */
  readonly fallback?: () => Answer;
  /** Told each time that it cannot listen; the next try is `retryMs` later. */
  readonly onUnavailable?: (error: Error) => void;
  /** Default 2000. */
  readonly retryMs?: number;
}

export interface HttpServer {
  /** The port in use; undefined while another process holds it. */
  port(): number | undefined;
  stop(): Promise<void>;
}

/**
 * Listens as soon as the port is free. A port that is taken is no reason to end: while a node is handed over, the proxy
 * that ran before may hold it for a while, and Services matter more.
 */
export function startHttpServer(options: HttpServerOptions): HttpServer {
  const { address, onUnavailable, retryMs = 2000 } = options;
  const server = http.createServer(
    { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000 },
    (request, response) => {
      void respond(options, request, response);
    },
  );
  server.maxConnections = 100;
  let retry: NodeJS.Timeout | undefined;
  const listen = (): void => void server.listen(address);
  server.on('error', (error) => {
    onUnavailable?.(error);
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
  const answer = await answerTo(options, request);
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'x-content-type-options': 'nosniff',
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo(
  { routes, fallback = notFound }: HttpServerOptions,
  { method, url = '/' }: http.IncomingMessage,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET and HEAD are allowed\n');
  const path = url.split('?', 1)[0] ?? '/';
  const route = Object.hasOwn(routes, path) ? routes[path] : fallback;
  try {
    return await (route ?? fallback)();
  } catch {
    return plain(500, 'internal error\n');
  }
}

function notFound(): Answer {
  return plain(404, 'not found\n');
}

export function plain(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

export function json(status: number, body: object): Answer {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}
