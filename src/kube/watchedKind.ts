/**
 * What a list or a watch of one kind of objects may consist of. A proxy, an API server that starts, or an extension of
 * it may answer 200 with something else; what is no list must not be taken for an empty one.
 */
import { ApiError } from './apiError.ts';
import { fieldOf, textOf } from './fieldOf.ts';
import type { WatchEvent } from './watchLines.ts';

/** What one page of a list says of itself. */
export interface ListPage {
  readonly resourceVersion: string;
  /** Of the next page; undefined in the last one. */
  readonly continueToken: string | undefined;
}

/** What tells an object from every other, and from itself at another time. */
export interface ObjectVersion {
  /** `namespace/name` or `name`. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** The kind of the objects at one path of the API server, as far as the path tells it. */
export class WatchedKind {
  readonly #path: string;
  readonly #apiVersion: string;
  readonly #plural: string;

  /** e.g. `/api/v1/services`, `/apis/apps/v1/namespaces/default/controllerrevisions`. */
  constructor(path: string) {
    this.#path = path;
    this.#apiVersion = /^\/api\/([^/]+)\/|^\/apis\/([^/]+\/[^/]+)\//.exec(path)?.slice(1).find(Boolean) ?? '';
    this.#plural = path.split('/').at(-1) ?? '';
  }

  /**
   * The page in the body of a response, of which the items are not looked at. Throws an ApiError with the reason NotAList where it is none of this kind's, or
   * says nothing of its version.
   */
  page(body: unknown): ListPage {
    const kind = textOf(body, 'kind') ?? '';
    if (!kind.endsWith('List') || !this.#isOfKind(body, kind.slice(0, -'List'.length)))
      throw this.#invalid('NotAList', `is ${named(body)} and not a list of ${this.#plural}`);
    const [metadata, items] = [fieldOf(body, 'metadata'), fieldOf(body, 'items')];
    const resourceVersion = textOf(metadata, 'resourceVersion');
    if (!Array.isArray(items)) throw this.#invalid('NotAList', 'has no items');
    if (resourceVersion === undefined) throw this.#invalid('NotAList', 'has no resourceVersion');
    return { resourceVersion, continueToken: textOf(metadata, 'continue') };
  }

  /** The object of a watch's event that is no ERROR. Throws an ApiError: NotAnEvent where it is of another kind. */
  objectOf({ object }: WatchEvent): unknown {
    if (!this.#isOfKind(object, textOf(object, 'kind') ?? ''))
      throw this.#invalid('NotAnEvent', `brings ${named(object)}`);
    return object;
  }

  /** The resourceVersion that a BOOKMARK brings, of other events undefined. Throws as `objectOf` where it has none. */
  bookmarkedVersion({ type, object }: WatchEvent): string | undefined {
    if (type !== 'BOOKMARK') return undefined;
    const version = textOf(fieldOf(object, 'metadata'), 'resourceVersion');
    if (version === undefined) throw this.#invalid('NotAnEvent', 'brings a bookmark without a resourceVersion');
    return version;
  }

  /** The error for a list whose pages do not end. */
  endless(pages: number): ApiError {
    return this.#invalid('EndlessList', `goes on after ${pages} pages`);
  }

  /**
   * A plural is made of its kind as in UnsafeGuessKindToResource of k8s.io/apimachinery/pkg/api/meta (v0.36); a test
   * asks the API server for each kind that is watched.
   */
  #isOfKind(object: unknown, kind: string): boolean {
    const singular = kind.toLowerCase();
    return pluralOf(singular) === this.#plural && textOf(object, 'apiVersion') === this.#apiVersion;
  }

  #invalid(reason: string, what: string): ApiError {
    return new ApiError({ status: 200, reason, message: `GET ${this.#path}: the answer ${what}` });
  }
}

function pluralOf(singular: string): string {
  if (singular.endsWith('s')) return `${singular}es`;
  return singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}

/** apiVersion and kind for a message; not where they are no words, for they reach a log. */
function named(object: unknown): string {
  const words = [textOf(object, 'apiVersion'), textOf(object, 'kind')].filter((word) => word !== undefined).join(' ');
  return /^[\w./ -]{1,100}$/.test(words) ? words : 'something without a known kind';
}

/** `namespace/name` or `name`; undefined where the object has no name. */
export function keyOf(object: unknown): string | undefined {
  const metadata = fieldOf(object, 'metadata');
  const [namespace, name] = [textOf(metadata, 'namespace'), textOf(metadata, 'name')];
  // `join` makes one string where a template would keep its parts.
  return namespace === undefined || name === undefined ? name : [namespace, name].join('/');
}

/** Undefined where any of it is missing. */
export function versionOf(object: unknown): ObjectVersion | undefined {
  const metadata = fieldOf(object, 'metadata');
  const [key, uid, resourceVersion] = [keyOf(object), textOf(metadata, 'uid'), textOf(metadata, 'resourceVersion')];
  return key === undefined || uid === undefined || resourceVersion === undefined
    ? undefined
    : { key, uid, resourceVersion };
}
