/**
 * Hands over the objects of one kind and every change of them: paged list, then watch, until it is stopped.
 *
 * What it promises: nothing is deleted on a failed list; a missed DELETE is found by the next list; an object of the
 * same name with another uid is another object; and whatever a watch loses without an error (an etcd restored from a
 * backup) is found by a new list, at least every five minutes. The handler is called synchronously and by one loop.
 */
import { ApiError, errorFromStatus, isGone, isUnreachable, retryAfterMs } from './apiError.ts';
import { type Backoff, createBackoff, pause } from './backoff.ts';
import type { KubeClient, Query } from './client.ts';
import { isOlderVersion } from './resourceVersion.ts';
import type { WatchEvent } from './watchLines.ts';

export interface ReflectorOptions<Item> {
  readonly client: KubeClient;
  /** e.g. `/apis/discovery.k8s.io/v1/endpointslices` */
  readonly path: string;
  /** labelSelector, fieldSelector. */
  readonly query?: Query;
  /** Called for every object at once, so that nothing larger than the record is kept; undefined = not of interest. */
  readonly decode: (object: unknown) => Item | undefined;
  readonly handler: ReflectorHandler<Item>;
  /** Each failed list, watch (retried after that many milliseconds) and decoding (0). */
  readonly onError?: (error: unknown, retryInMs: number) => void;
  readonly timing?: Partial<ReflectorTiming>;
}

export interface ReflectorTiming {
  /** Objects per page of a list. */
  readonly pageSize: number;
  /** The maximum time from one list to the next; shortened by up to a tenth, so that agents do not list in step. */
  readonly relistMs: number;
  readonly retryMinMs: number;
  /** Between tries while the server answers with errors. */
  readonly retryMaxMs: number;
  /** Between tries while it does not answer at all: shorter, because a failed connect costs nobody anything. */
  readonly reconnectMaxMs: number;
}

const defaultTiming: ReflectorTiming = {
  pageSize: 500,
  relistMs: 300_000,
  retryMinMs: 500,
  retryMaxMs: 30_000,
  reconnectMaxMs: 6_000,
};

/** Identity of an object: `key` is `namespace/name` or `name`; a new uid under the same key is a delete and an add. */
export interface ObjectIdentity {
  readonly key: string;
  readonly uid: string;
}

/** What a reflector calls; none of it may throw. An object that `decode` no longer wants is deleted. */
export interface ReflectorHandler<Item> {
  onAdd(id: ObjectIdentity, item: Item): void;
  onUpdate(id: ObjectIdentity, item: Item): void;
  onDelete(id: ObjectIdentity): void;
}

export interface Reflector {
  /** Begins with a list; again, it does nothing. */
  start(): void;
  /** Resolves after the first complete list has been handed to the handler; never rejects. */
  readonly synced: Promise<void>;
  /** Ends list and watch; resolves when the handler is not called any more. */
  stop(): Promise<void>;
}

/** A reflector that does nothing before `start`. */
export function createReflector<Item>(options: ReflectorOptions<Item>): Reflector {
  return new ListWatch(options);
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
}
interface ListPage {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly { metadata: Metadata }[] | null;
}
/** What is remembered of an object: resourceVersion and uid in one text, which takes the least memory. */
type Known = string;

class ListWatch<Item> implements Reflector {
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<Item>;
  readonly #timing: ReflectorTiming;
  readonly #known = new Map<string, Known>();
  readonly #stop = new AbortController();
  readonly #errorBackoff: Backoff;
  readonly #unreachableBackoff: Backoff;
  readonly #markSynced: () => void;
  #resourceVersion = '';
  #listIsDue = true;
  #relistAt = 0;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<Item>) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    const { retryMinMs: minMs, retryMaxMs, reconnectMaxMs } = this.#timing;
    this.#errorBackoff = createBackoff({ minMs, maxMs: retryMaxMs });
    this.#unreachableBackoff = createBackoff({ minMs, maxMs: reconnectMaxMs });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#listIsDue) await this.#list();
        await this.#watch();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        await this.#wait(error);
      }
    }
  }

  async #wait(error: unknown): Promise<void> {
    if (isGone(error) || error instanceof HistoryWentBack) this.#listIsDue = true;
    if (error instanceof HistoryWentBack) this.#forgetVersions();
    const [backoff, other] = isUnreachable(error)
      ? [this.#unreachableBackoff, this.#errorBackoff]
      : [this.#errorBackoff, this.#unreachableBackoff];
    other.reset();
    const wait = backoff.next() + retryAfterMs(error);
    this.#options.onError?.(error, wait);
    await pause(wait, this.#stop.signal);
  }

  async #list(): Promise<void> {
    const seen = new Set<string>();
    let resourceVersion = '';
    for (let next: Promise<ListPage> | undefined = this.#page(undefined); next !== undefined;) {
      const page: ListPage = await next;
      if (this.#stop.signal.aborted) return;
      resourceVersion = page.metadata.resourceVersion;
      const token = page.metadata.continue ?? '';
      // The server makes the next page while this one is decoded.
      next = token === '' ? undefined : this.#page(token);
      if (isOlderVersion(resourceVersion, this.#resourceVersion)) this.#forgetVersions();
      for (const item of page.items ?? []) {
        seen.add(keyOf(item.metadata));
        this.#observe(item.metadata, item);
      }
    }

    for (const key of this.#known.keys()) if (!seen.has(key)) this.#drop(key);
    this.#resourceVersion = resourceVersion;
    this.#listIsDue = false;
    this.#relistAt = performance.now() + this.#timing.relistMs * (0.9 + Math.random() / 10);
    this.#markSynced();
  }

  #page(token: string | undefined): Promise<ListPage> {
    const query = { ...this.#options.query, limit: this.#timing.pageSize, continue: token };
    const page = this.#options.client.get<ListPage>(this.#options.path, query, this.#stop.signal);
    // It is awaited later, or not at all when the list ends before.
    page.catch(() => undefined);
    return page;
  }

  /** History went back, so an equal resourceVersion means no equal object: everything is handed over again. */
  #forgetVersions(): void {
    this.#resourceVersion = '';
    for (const [key, known] of this.#known) this.#known.set(key, knownAs({ uid: uidOf(known), resourceVersion: '' }));
  }

  async #watch(): Promise<void> {
    const started = performance.now();
    const remaining = this.#relistAt - started;
    if (remaining < 1000) {
      this.#listIsDue = true;
      return;
    }
    const query = {
      ...this.#options.query,
      allowWatchBookmarks: true,
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: Math.floor(remaining / 1000),
    };
    let events = 0;
    for await (const event of this.#options.client.watch(this.#options.path, query, this.#stop.signal)) {
      this.#receive(event);
      if (++events === 1) this.#resetBackoff();
    }
    const lasted = performance.now() - started;
    if (events === 0 && lasted < 1000 && !this.#stop.signal.aborted) throw closedAtOnce(this.#options.path);
    this.#resetBackoff();
  }

  #resetBackoff(): void {
    this.#errorBackoff.reset();
    this.#unreachableBackoff.reset();
  }

  #receive(event: WatchEvent): void {
    if (event.type === 'ERROR') throw errorFromStatus(event.object, 0);
    const { metadata } = event.object as { metadata: Metadata };
    if (isOlderVersion(metadata.resourceVersion, this.#resourceVersion))
      throw new HistoryWentBack(this.#resourceVersion, metadata.resourceVersion);
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        this.#observe(metadata, event.object);
        break;
      case 'DELETED':
        this.#drop(keyOf(metadata));
        break;
      case 'BOOKMARK':
        break;
    }
    this.#resourceVersion = metadata.resourceVersion;
  }

  #observe(metadata: Metadata, object: unknown): void {
    const key = keyOf(metadata);
    const { uid } = metadata;
    const [known, current] = [this.#known.get(key), knownAs(metadata)];
    if (known === current) return;
    if (known !== undefined && uidOf(known) !== uid) this.#drop(key);
    const item = this.#decode(object);
    if (item === undefined) {
      this.#drop(key);
      return;
    }
    const isNew = !this.#known.has(key);
    this.#known.set(key, current);
    if (isNew) this.#options.handler.onAdd({ key, uid }, item);
    else this.#options.handler.onUpdate({ key, uid }, item);
  }

  /** One object that cannot be read must not stop the others. */
  #decode(object: unknown): Item | undefined {
    try {
      return this.#options.decode(object);
    } catch (error) {
      this.#options.onError?.(error, 0);
      return undefined;
    }
  }

  #drop(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#options.handler.onDelete({ key, uid: uidOf(known) });
  }
}

/** The server knows less than it did: its etcd came back from a backup. */
class HistoryWentBack extends Error {
  constructor(known: string, got: string) {
    super(`the API server's history went back from resourceVersion ${known} to ${got}`);
    this.name = 'HistoryWentBack';
  }
}

function closedAtOnce(path: string): ApiError {
  return new ApiError({
    status: 0,
    reason: 'Unreachable',
    message: `the watch of ${path} was closed at once without an event`,
  });
}

/** `join` makes one string where a template would keep its parts. */
function keyOf(metadata: Metadata): string {
  return metadata.namespace === undefined ? metadata.name : [metadata.namespace, metadata.name].join('/');
}

function knownAs({ uid, resourceVersion }: Pick<Metadata, 'uid' | 'resourceVersion'>): Known {
  return [resourceVersion, uid].join(' ');
}

function uidOf(known: Known): string {
  return known.slice(known.indexOf(' ') + 1);
}
