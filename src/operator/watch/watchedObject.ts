/**
 * What an event of the base class carries of a watched object.
 */
import type { ObjectIdentity } from '../../kube/reflector.ts';

/** An object as far as it is named here. */
export interface Identified {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

interface Meta {
  readonly id: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
}

/** Its metadata in the form of the base class; `id`: plural and group of its kind. */
export function metaOf(id: string, { apiVersion = '', kind = '', metadata }: Identified): Meta {
  const { name = '', namespace, resourceVersion = '' } = metadata ?? {};
  return { id, name, resourceVersion, apiVersion, kind, ...(namespace ? { namespace } : {}) };
}

/** What the base class needs of an object, and what was made of it. */
export function decodedObjectOf<Kept>(
  { apiVersion = '', kind = '', metadata }: Identified,
  record: Kept,
): Required<Pick<Identified, 'apiVersion' | 'kind' | 'metadata'>> & { readonly record: Kept } {
  const { name = '', namespace, uid = '', resourceVersion = '' } = metadata ?? {};
  return { apiVersion, kind, metadata: { name, uid, resourceVersion, ...(namespace ? { namespace } : {}) }, record };
}

/** Of a deleted object only its identity is left. */
export function deletedObjectOf({ key, uid }: ObjectIdentity): { metadata: { name: string; uid: string } } {
  return { metadata: { name: key.slice(key.indexOf('/') + 1), uid } };
}
