/**
 * What the operator knows of the objects of one kind, by name: what a watch brought, and what it wrote itself.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ObjectMeta } from '../../api/objectMeta.ts';
import { isOlderVersion } from '../../kube/resourceVersion.ts';

/** What a watch brought of an object, decoded; without `record`, that it is deleted or of no interest any more. */
export interface ObservedObject<Kept> {
  readonly name: string;
  /** Empty where it is deleted. */
  readonly resourceVersion: string;
  readonly record?: Kept | undefined;
}

/** An object in the API server's response to a read or a write of it. */
export interface ResponseObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

/** Of a kind that the operator only reads. */
export class KnownObjects<Kept> {
  readonly #byName = new Map<string, Kept>();
  /** What is kept of an object; undefined for nothing. */
  readonly decode: (object: unknown) => Kept | undefined;

  constructor(decode: (object: unknown) => Kept | undefined) {
    this.decode = decode;
  }

  /** Live: it changes with each observation. */
  get byName(): ReadonlyMap<string, Kept> {
    return this.#byName;
  }

  /**
   * Takes what a watch brought. Returns whether what is known has changed: Nodes and Pods are written all the time for
   * reasons that nothing here depends on.
   */
  observe({ name, record }: ObservedObject<Kept>): boolean {
    if (isDeepStrictEqual(record, this.#byName.get(name))) return false;
    if (record === undefined) this.#byName.delete(name);
    else this.#byName.set(name, record);
    return true;
  }

  /** As `observe`, of the response to a write or a read of the object. */
  observeResponse(response: ResponseObject): boolean {
    return this.observe({ ...response.metadata, record: this.decode(response) });
  }
}

/**
 * Of a kind that the operator writes: its watch brings objects as they were before, when the response to the write is
 * known already. Such an observation changes nothing; resourceVersions are compared as numbers of any length (KEP-5504).
 */
export class WrittenObjects<Kept extends { readonly metadata: ObjectMeta }> extends KnownObjects<Kept> {
  /** resourceVersions, by name. */
  readonly #written = new Map<string, string>();

  override observe(observed: ObservedObject<Kept>): boolean {
    return !this.#isStale(observed) && super.observe(observed);
  }

  /**
   * Known at once what was written, so that the next reconciliation does not decide on older knowledge; unless the
   * watch has brought something newer meanwhile, such as the report of a quick agent.
   */
  override observeResponse(response: ResponseObject): boolean {
    const { name, resourceVersion } = response.metadata;
    const known = this.byName.get(name)?.metadata.resourceVersion;
    if (known !== undefined && (known === resourceVersion || isOlderVersion(resourceVersion, known))) return false;
    this.#written.set(name, resourceVersion);
    return super.observe({ name, resourceVersion, record: this.decode(response) });
  }

  /** True for what was so before this process itself changed it: going back to it would be to decide twice. */
  #isStale({ name, resourceVersion }: ObservedObject<Kept>): boolean {
    const written = this.#written.get(name);
    if (written === undefined) return false;
    if (isOlderVersion(resourceVersion, written)) return true;
    this.#written.delete(name);
    return false;
  }
}
