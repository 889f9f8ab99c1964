/**
 * @module Where this product's objects stand in the Kubernetes API, and the only place in src that says so: group,
 * version, kinds, paths, and the names that begin with the group. The CustomResourceDefinitions in crds/ say the same;
 * a test compares the two.
 */
const group = 'proxyconfig.dev';
const version = 'v1alpha1';

/** `group/version`, as every object of ours carries it. */
export const apiVersion = `${group}/${version}`;

/** One kind of this group. Its objects belong to no namespace. */
export interface ApiResource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The kind's name in paths and in RBAC rules. */
  readonly plural: string;
  /** Of the collection on the API server: lists, watches and creations go there. */
  readonly path: string;
}

export const proxyConfigResource = resource('ProxyConfig', 'proxyconfigs');
export const nodeProxyResource = resource('NodeProxy', 'nodeproxies');

/** Label of a ControllerRevision: the revision of the configuration in it. */
export const revisionLabel = `${group}/revision`;
/** Label of a ControllerRevision: the name of the ProxyConfig whose history it belongs to. */
export const proxyConfigLabel = `${group}/proxyconfig`;
/** What the operator's events name as their `reportingController`. */
export const operatorController = `${group}/operator`;

/** The path of one object on the API server. */
export function objectPath({ path }: ApiResource, name: string): string {
  return `${path}/${name}`;
}

/** The path of one object's status subresource. */
export function statusPath(of: ApiResource, name: string): string {
  return `${objectPath(of, name)}/status`;
}

function resource(kind: string, plural: string): ApiResource {
  return { group, version, kind, plural, path: `/apis/${apiVersion}/${plural}` };
}
