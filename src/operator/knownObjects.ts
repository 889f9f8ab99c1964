/**
 * What the operator knows of the objects of one kind, by name: what a watch brought, and what it wrote itself.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ObjectMeta } from '../api/objectMeta.ts';

/** What a watch says of an object; without `object`, that it is deleted. */
export interface ObservedObject {
  readonly name: string;
  readonly resourceVersion: string;
  readonly object?: unknown;
}

/** An object in the API server's answer to a read or a write of it. */
export interface AnsweredObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

export class KnownObjects<Kept> {
  readonly #byName = new Map<string, Kept>();
  readonly #decode: (object: unknown) => Kept | undefined;

  constructor(decode: (object: unknown) => Kept | undefined) {
    this.#decode = decode;
  }

  get byName(): ReadonlyMap<string, Kept> {
    return this.#byName;
  }

  /** Whether that is news: Nodes and Pods are written all the time for reasons that nothing here depends on. */
  keep({ name, object }: ObservedObject): boolean {
    const record = object === undefined ? undefined : this.#decode(object);
    if (isDeepStrictEqual(record, this.#byName.get(name))) return false;
    if (record === undefined) this.#byName.delete(name);
    else this.#byName.set(name, record);
    return true;
  }

  /** As `keep`, of what the API server answered to a write or a read of the object. */
  learn(answer: AnsweredObject): boolean {
    return this.keep({ ...answer.metadata, object: answer });
  }
}

/**
 * Of a kind that the operator writes: its watch brings objects as they were before, when the answer to the write is
 * known already.
 */
export class WrittenObjects<Kept extends { readonly metadata: ObjectMeta }> extends KnownObjects<Kept> {
  /** resourceVersions, by name. */
  readonly #written = new Map<string, string>();

  override keep(observed: ObservedObject): boolean {
    return !this.#isStale(observed) && super.keep(observed);
  }

  /**
   * Known at once what was written, so that the next turn does not decide on older knowledge; unless the watch has
   * brought something newer meanwhile, such as the answer of a quick agent.
   */
  override learn(answer: AnsweredObject): boolean {
    const { name, resourceVersion } = answer.metadata;
    const known = this.byName.get(name)?.metadata.resourceVersion;
    if (known !== undefined && Number(known) >= Number(resourceVersion)) return false;
    this.#written.set(name, resourceVersion);
    return super.keep({ name, resourceVersion, object: answer });
  }

  /** True for what was so before this process itself changed it: going back to it would be to decide twice. */
  #isStale({ name, resourceVersion, object }: ObservedObject): boolean {
    const written = this.#written.get(name);
    if (written === undefined) return false;
    if (object !== undefined && Number(resourceVersion) < Number(written)) return true;
    this.#written.delete(name);
    return false;
  }
}
