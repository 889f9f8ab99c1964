/**
 * @module The one way to the API server: JSON requests and watch streams over one pool of connections.
 *
 * On Node's own http client, which costs an agent 9 MB of memory where undici costs 23 (measured, bundled).
 */
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { createConnectionPool } from './connectionPool.ts';
import { ApiError, errorFromStatus, unreachable } from './apiError.ts';
import { fieldOf } from './fieldOf.ts';
import type { KubeConfig } from './kubeConfig.ts';
import { type OnItem, readListBody } from './listBody.ts';
import { parseLines, type WatchEvent } from './watchLines.ts';

/** Requests to one API server; every method may be called at any time, and many at once. */
export interface KubeClient {
  /** e.g. `https://10.0.0.1:6443`. */
  readonly server: string;
  /**
   * The body of the response to a GET, taken to be a `T`; `path` as on the API server, e.g. `/api/v1/services`. Throws
   * ApiError on any status over 299, for a Status instead of an object, and where no readable response came, also when
   * the signal fires.
   */
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>;
  /**
   * As `get`, for a page of a list, whose items are handed to `onItem` one by one as they come and are not in what it
   * resolves with. They may be another kind's, or those of a page that fails in the end.
   */
  list(path: string, query: Query, options: ListOptions): Promise<unknown>;
  /** The body of the response to a write, taken to be a `T`. Throws ApiError as `get` does. */
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: SendOptions): Promise<T>;
  /**
   * The events of a watch until the server closes it or the signal fires, which is no error. Throws ApiError where it
   * is refused, cut, or nothing came for `watchSilenceMs`.
   */
  watch(path: string, query: Query, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** Closes the idle connections; the client is not to be used afterwards. */
  close(): Promise<void>;
}

export interface ListOptions {
  readonly onItem: OnItem;
  readonly signal?: AbortSignal | undefined;
}

/** Parameters of a request's URL; one that is undefined is left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The rest of a write. */
export interface SendOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`; patches name theirs, e.g. `application/apply-patch+yaml`. */
  readonly contentType?: string;
  readonly query?: Query;
}

export interface KubeClientOptions {
  /** For a request from its start to the last byte of its response; default 30 s. Watches are not bounded by it. */
  readonly requestTimeoutMs?: number;
  /** A watch on which nothing came for this long is closed; default 75 s, because bookmarks come every 60 s. */
  readonly watchSilenceMs?: number;
  readonly userAgent?: string;
  /** Called with the `Date` header of every response. */
  readonly onDate?: (date: string | undefined) => void;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface Exchange {
  readonly method: Method;
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly signal: AbortSignal;
}

/** A client that connects with its first request, and asks `config` for token and certificates for each. */
export function createKubeClient(config: KubeConfig, options: KubeClientOptions = {}): KubeClient {
  const { requestTimeoutMs = 30_000, watchSilenceMs = 75_000, userAgent = 'proxyconfig', onDate } = options;
  const secure = config.server.startsWith('https:');
  const pool = createConnectionPool(config);

  function open(exchange: Exchange): Promise<http.IncomingMessage> {
    const headers: http.OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': userAgent };
    const token = config.token();
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (exchange.body !== undefined) {
      headers['content-type'] = exchange.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(exchange.body);
    }
    const url = config.server + exchange.path + queryText(exchange.query);
    return new Promise((resolve, reject) => {
      const onResponse = (response: http.IncomingMessage): void => {
        onDate?.(response.headers.date);
        resolve(response);
      };
      const outgoing = (secure ? https : http).request(
        url,
        { agent: pool.agent(), method: exchange.method, headers, signal: exchange.signal },
        onResponse,
      );
      outgoing.setTimeout(watchSilenceMs, () =>
        outgoing.destroy(new Error(`nothing received for ${watchSilenceMs} ms`)),
      );
      outgoing.on('error', reject);
      outgoing.end(exchange.body);
    });
  }

  /** `read`: the JSON of the body of a response that is no failure. */
  async function request<T>(
    exchange: Omit<Exchange, 'signal'> & { readonly signal?: AbortSignal | undefined },
    read: (response: http.IncomingMessage) => Promise<unknown> = parsedBody,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(requestTimeoutMs);
    const signal = exchange.signal === undefined ? timeout : AbortSignal.any([exchange.signal, timeout]);
    try {
      const response = await open({ ...exchange, signal });
      if (isFailure(response)) throw refusal(response, await text(response));
      return answered(exchange.method, await read(response)) as T;
    } catch (error) {
      throw classify(exchange, error);
    }
  }

  async function* watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const exchange = { method: 'GET', path, query: { ...query, watch: true }, signal } as const;
    let response: http.IncomingMessage | undefined;
    try {
      response = await open(exchange);
      if (isFailure(response)) throw refusal(response, await text(response));
      yield* parseLines(response);
    } catch (error) {
      if (!signal.aborted) throw classify(exchange, error);
    } finally {
      response?.destroy();
    }
  }

  return {
    server: config.server,
    get: (path, query, signal) => request({ method: 'GET', path, query, signal }),
    list: (path, query, { onItem, signal }) =>
      request({ method: 'GET', path, query, signal }, (response) => readListBody(response, onItem)),
    send: (method, path, { body, contentType, query } = {}) =>
      request({ method, path, query, contentType, body: body === undefined ? undefined : JSON.stringify(body) }),
    watch,
    close: () => Promise.resolve(pool.close()),
  };
}

function classify({ method, path }: Pick<Exchange, 'method' | 'path'>, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return unreachable(`${method} ${path}: ${why}`, error);
}

/**
 * The object in a response with a status of success. Throws where it is none, and the error in a Status that says that
 * the request failed; to a GET no Status is an answer.
 */
function answered(method: Method, body: unknown): unknown {
  if (typeof body !== 'object' || body === null) throw new Error('the answer is no object');
  const isRefused = fieldOf(body, 'kind') === 'Status' && (method === 'GET' || fieldOf(body, 'status') === 'Failure');
  if (isRefused) throw errorFromStatus(body, 0);
  return body;
}

async function parsedBody(response: http.IncomingMessage): Promise<unknown> {
  return JSON.parse(await text(response));
}

const isFailure = (response: http.IncomingMessage): boolean => (response.statusCode ?? 0) > 299;

function refusal(response: http.IncomingMessage, body: string): ApiError {
  return errorFromStatus(parsed(body), response.statusCode ?? 0, response.headers['retry-after']);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // a proxy's error page; its status code says enough
  }
}

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}
