/**
 * Where the API server is and who we are: from a kubeconfig file, or from the Pod's service account.
 *
 * Read by own code and not by client-node's KubeConfig: that class pulls in the whole generated client, proxies and
 * cloud logins (measured: 1.4 MB bundled and 38 MB of memory, 9 MB with this and node:https), and an agent runs on
 * every node.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';

/** How a client reaches the API server, and as whom. */
export interface KubeConfig {
  /** e.g. `https://10.0.0.1:6443`, without a slash at the end. */
  readonly server: string;
  /**
   * Certificates that a new connection is made with. Files are read again each time, because kubelet and kubeadm
   * replace them; the same object as before where nothing has changed, or something cannot be read just now.
   */
  readonly tls: TlsOptions;
  /**
   * The bearer token; undefined where a client certificate says who we are. A file is read again for each request,
   * because the kubelet rotates it. Throws where the file cannot be read any more.
   */
  token(): string | undefined;
}

/** As node:tls takes them; certificates and keys in PEM. */
export interface TlsOptions {
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

/** Where a KubeConfig is read from. */
export interface KubeConfigSource {
  /** Path of a kubeconfig file; without it the Pod's service account is used. */
  readonly kubeconfig?: string | undefined;
  /** `https://host:port`; required with the service account, and used instead of the file's own. */
  readonly server?: string | undefined;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountDirectory?: string;
}

/**
 * The current context of a kubeconfig file, or the Pod's service account. Throws an Error that names the file and the
 * field where the file cannot be read, has no usable context, or asks for a login that is not supported.
 */
export function loadKubeConfig(source: KubeConfigSource): KubeConfig {
  return source.kubeconfig === undefined ? fromServiceAccount(source) : fromFile(source.kubeconfig, source.server);
}

function fromServiceAccount(source: KubeConfigSource): KubeConfig {
  const directory = source.serviceAccountDirectory ?? '/var/run/secrets/kubernetes.io/serviceaccount';
  if (source.server === undefined) {
    throw new Error('no API server: give --kubeconfig FILE, or run as a Pod, where KUBERNETES_SERVICE_HOST is set');
  }
  const tokenFile = path.join(directory, 'token');
  readFileSync(tokenFile);
  const tls = readAnew(() => ({ ca: readFileSync(path.join(directory, 'ca.crt')) }));
  return {
    server: withoutSlash(source.server),
    get tls() {
      return tls();
    },
    token: () => readFileSync(tokenFile, 'utf8').trim(),
  };
}

interface KubeConfigFile {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user?: string } }[];
  clusters?: { name: string; cluster: Cluster }[];
  users?: { name: string; user: User }[];
}
interface Cluster {
  server?: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
}
interface User {
  token?: string;
  tokenFile?: string;
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
}

const userFields = new Set([
  'token',
  'tokenFile',
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
]);

function fromFile(file: string, server: string | undefined): KubeConfig {
  const context = contextReader(file);
  const address = server ?? context().cluster.server;
  if (address === undefined) throw new Error(`${file}: the current context's cluster has no server`);
  const absolute = (name: string): string => path.resolve(path.dirname(file), name);
  const tls = readAnew(() => {
    const { cluster, user } = context();
    return {
      ca: inline(cluster['certificate-authority-data'], cluster['certificate-authority'], absolute),
      cert: inline(user['client-certificate-data'], user['client-certificate'], absolute),
      key: inline(user['client-key-data'], user['client-key'], absolute),
      servername: cluster['tls-server-name'],
      rejectUnauthorized: cluster['insecure-skip-tls-verify'] !== true,
    };
  });
  const user = readAnew(() => context().user);
  return {
    server: withoutSlash(address),
    get tls() {
      return tls();
    },
    token: () => {
      const { token, tokenFile } = user();
      return tokenFile === undefined ? token : readFileSync(absolute(tokenFile), 'utf8').trim();
    },
  };
}

/** Reads now, which may throw, and at each call again; what was read last where that fails, as in mid-replacement. */
function readAnew<Value>(read: () => Value): () => Value {
  let current = read();
  return () => {
    try {
      const now = read();
      if (!isDeepStrictEqual(now, current)) current = now;
    } catch {
      // Whoever replaces the files has not finished.
    }
    return current;
  };
}

/** Reads the file at each call, and parses it where it has changed. */
function contextReader(file: string): () => Context {
  let last: { readonly text: string; readonly context: Context } | undefined;
  return () => {
    const text = readFileSync(file, 'utf8');
    if (text !== last?.text) last = { text, context: currentContext(file, text) };
    return last.context;
  };
}

interface Context {
  readonly cluster: Cluster;
  readonly user: User;
}

function currentContext(file: string, text: string): Context {
  const config = (parse(text) ?? {}) as KubeConfigFile;
  const context = config.contexts?.find((entry) => entry.name === config['current-context'])?.context;
  if (context === undefined)
    throw new Error(`${file}: current-context names no context; set one with kubectl config use-context`);
  const cluster = config.clusters?.find((entry) => entry.name === context.cluster)?.cluster;
  if (cluster === undefined)
    throw new Error(`${file}: there is no cluster ${context.cluster}, which the current context names`);
  const user = config.users?.find((entry) => entry.name === context.user)?.user ?? {};
  const unknown = Object.keys(user).find((field) => !userFields.has(field));
  if (unknown !== undefined)
    throw new Error(`${file}: users[].user.${unknown} is not supported; use a client certificate or a token`);
  return { cluster, user };
}

function inline(
  data: string | undefined,
  file: string | undefined,
  absolute: (name: string) => string,
): Buffer | undefined {
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : readFileSync(absolute(file));
}

function withoutSlash(server: string): string {
  return server.replace(/\/+$/, '');
}
