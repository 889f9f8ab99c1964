/**
 * @module The one way to the API server: JSON requests and watch streams over one pool of connections.
 */
export interface KubeClient {
  readonly server: string;
  /** `path` as on the API server, e.g. `/api/v1/services`. Throws ApiError on any status over 299. */
  get<T>(path: string, query?: Query): Promise<T>;
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: SendOptions): Promise<T>;
  /** The objects of a watch, one per line of the response, until the server closes it, the signal fires or nothing came for too long. */
  watch(path: string, query: Query, signal: AbortSignal): AsyncIterable<WatchEvent>;
  close(): Promise<void>;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SendOptions {
  readonly body?: unknown;
  /** Default `application/json`; patches name theirs, e.g. `application/apply-patch+yaml`. */
  readonly contentType?: string;
  readonly query?: Query;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}
