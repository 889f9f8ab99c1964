/**
 * @module Keeps a copy of one kind of object: paged list, then watch, for ever.
 */
import type { KubeClient, Query } from './client.ts';

export interface ReflectorOptions<Item> {
  readonly client: KubeClient;
  /** e.g. `/apis/discovery.k8s.io/v1/endpointslices` */
  readonly path: string;
  /** labelSelector, fieldSelector. */
  readonly query?: Query;
  /** Called for every object at once, so that nothing larger than the record is kept; undefined = not of interest. */
  readonly decode: (object: unknown) => Item | undefined;
  readonly handler: ReflectorHandler<Item>;
  readonly onError?: (error: unknown, retryInMs: number) => void;
}

/** Identity of an object: `key` is `namespace/name` or `name`; a new uid under the same key is a delete and an add. */
export interface ObjectIdentity {
  readonly key: string;
  readonly uid: string;
}

export interface ReflectorHandler<Item> {
  onAdd(id: ObjectIdentity, item: Item): void;
  onUpdate(id: ObjectIdentity, item: Item): void;
  onDelete(id: ObjectIdentity): void;
}

export interface Reflector {
  start(): void;
  /** Resolves after the first complete list has been handed to the handler. */
  readonly synced: Promise<void>;
  stop(): Promise<void>;
}
