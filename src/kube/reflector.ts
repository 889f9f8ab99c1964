/**
 * Hands over the objects of one kind and every change of them: paged list, then watch, until it is stopped.
 *
 * What it promises: nothing is deleted on a failed list; a missed DELETE is found by the next list; an object of the
 * same name with another uid is another object; an object without name, uid or version stops nobody else; and whatever
 * a watch loses without an error (an etcd restored from a backup) is found by a new list, at least every five minutes.
 * The handler is called synchronously and by one loop.
 */
import { ApiError, errorFromStatus, isGone, isNotAnEvent, isUnreachable, retryAfterMs } from './apiError.ts';
import { type Backoff, createBackoff, pause } from './backoff.ts';
import type { KubeClient, Query } from './client.ts';
import { listPages, type ReadPage } from './listPages.ts';
import { PageSize } from './pageSize.ts';
import { isOlderVersion } from './resourceVersion.ts';
import { keyOf, type ObjectVersion, versionOf, WatchedKind } from './watchedKind.ts';
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
  /** Max number of objects on a page of a list; large ones are asked for in fewer (pageSize.ts). */
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

/** What is remembered of an object: resourceVersion and uid in one text, which takes the least memory. */
type Known = string;

/** What was made of an object from a list or a watch; without `item` where it is of no interest, or known already. */
interface Observed<Item> {
  readonly key: string | undefined;
  readonly version: ObjectVersion | undefined;
  readonly item: Item | undefined;
}

class ListWatch<Item> implements Reflector {
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<Item>;
  readonly #timing: ReflectorTiming;
  readonly #kind: WatchedKind;
  readonly #pageSize: PageSize;
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
    this.#kind = new WatchedKind(options.path);
    this.#timing = { ...defaultTiming, ...options.timing };
    const { pageSize, retryMinMs: minMs, retryMaxMs, reconnectMaxMs } = this.#timing;
    this.#pageSize = new PageSize(pageSize);
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
    if (isGone(error) || error instanceof HistoryWentBack || isNotAnEvent(error)) this.#listIsDue = true;
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
    for await (const page of this.#pages(seen)) {
      if (this.#stop.signal.aborted) return;
      ({ resourceVersion } = page);
      if (isOlderVersion(resourceVersion, this.#resourceVersion)) {
        // What was taken for known may be another object: everything is read again.
        this.#forgetVersions();
        return this.#list();
      }
      for (const observed of page.items) this.#observe(observed);
    }
    // An object with a name alone stays as it is known: it is there.
    for (const key of this.#known.keys()) if (!seen.has(key)) this.#drop(key);
    this.#resourceVersion = resourceVersion;
    this.#listIsDue = false;
    this.#pageSize.completed();
    this.#relistAt = performance.now() + this.#timing.relistMs * (0.9 + Math.random() / 10);
    this.#markSynced();
  }

  #pages(seen: Set<string>): AsyncIterable<ReadPage<Observed<Item>>> {
    const { client, path, query } = this.#options;
    const read = (object: unknown): Observed<Item> => this.#read(object);
    const [kind, pageSize, { signal }] = [this.#kind, this.#pageSize, this.#stop];
    return listPages({ client, path, query, kind, pageSize, read, seen, signal });
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
    const object = this.#kind.objectOf(event);
    const resourceVersion =
      versionOf(object)?.resourceVersion ?? this.#kind.bookmarkedVersion(event) ?? this.#resourceVersion;
    if (isOlderVersion(resourceVersion, this.#resourceVersion))
      throw new HistoryWentBack(this.#resourceVersion, resourceVersion);
    if (event.type === 'DELETED') this.#drop(keyOf(object));
    else if (event.type !== 'BOOKMARK') this.#observe(this.#read(object));
    this.#resourceVersion = resourceVersion;
  }

  /** Changes nothing of what is known: what it is read from may yet turn out to be no list. */
  #read(object: unknown): Observed<Item> {
    const version = versionOf(object);
    const isNews = version !== undefined && this.#known.get(version.key) !== knownAs(version);
    return { key: keyOf(object), version, item: isNews ? this.#decode(object) : undefined };
  }

  #observe({ version, item }: Observed<Item>): void {
    if (version === undefined) {
      this.#options.onError?.(withoutMetadata(this.#options.path), 0);
      return;
    }
    const { key, uid } = version;
    const [known, current] = [this.#known.get(key), knownAs(version)];
    if (known === current) return;
    if (known !== undefined && uidOf(known) !== uid) this.#drop(key);
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

  #drop(key: string | undefined): void {
    const known = this.#known.get(key ?? '');
    if (key === undefined || known === undefined) return;
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

function withoutMetadata(path: string): ApiError {
  const message = `${path}: an object without name, uid or resourceVersion is left out`;
  return new ApiError({ status: 200, reason: 'NoMetadata', message });
}

function closedAtOnce(path: string): ApiError {
  return new ApiError({
    status: 0,
    reason: 'Unreachable',
    message: `the watch of ${path} was closed at once without an event`,
  });
}

function knownAs({ uid, resourceVersion }: Pick<ObjectVersion, 'uid' | 'resourceVersion'>): Known {
  return [resourceVersion, uid].join(' ');
}

function uidOf(known: Known): string {
  return known.slice(known.indexOf(' ') + 1);
}
