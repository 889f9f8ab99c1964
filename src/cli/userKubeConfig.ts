/**
 * How a person reaches the API server: the files, contexts and logins of kubectl.
 *
 * client-node knows them all (several files in KUBECONFIG, credential plug-ins, OIDC, a Pod's service account); an
 * agent does without for its memory's sake, see src/kube/kubeConfig.ts.
 */
import type https from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { KubeConfig as UserConfig } from '@kubernetes/client-node';
import { UsageError } from '../config.ts';
import type { KubeConfig, TlsOptions } from '../kube/kubeConfig.ts';

/** A KubeConfig with the name of the context that it comes from. */
export interface UserKubeConfig extends KubeConfig {
  readonly context: string;
  /**
   * Has files read and credentials asked for again, because a token has run out or certificates were replaced; those in
   * hand stay until there are new ones. The server stays the same.
   */
  refresh(): void;
}

/** What client-node falls back to where it finds nothing at all; nobody serves the API there. */
const guessedServer = 'http://localhost:8080';

/**
 * Without `kubeconfig`: KUBECONFIG, ~/.kube/config, or the Pod's service account. Throws UsageError for what only the
 * user can mend.
 */
export async function loadUserKubeConfig({
  kubeconfig,
  context,
}: {
  kubeconfig?: string | undefined;
  context?: string | undefined;
}): Promise<UserKubeConfig> {
  const config = readConfig(kubeconfig);
  if (context !== undefined) useContext(config, context);
  const cluster = config.getCurrentCluster();
  if (cluster === null || cluster.server === guessedServer)
    throw new UsageError(
      'no cluster: give --kubeconfig FILE or --context NAME, or set one with kubectl config use-context',
    );
  let current = await credentials(config);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    context: config.getCurrentContext(),
    get tls() {
      return current.tls;
    },
    token: () => current.token,
    refresh: () => {
      readAgain()
        .then(({ tls, token }) => (current = { token, tls: isDeepStrictEqual(tls, current.tls) ? current.tls : tls }))
        .catch(() => undefined);
    },
  };

  async function readAgain(): Promise<Credentials> {
    const fresh = readConfig(kubeconfig);
    useContext(fresh, config.getCurrentContext());
    return credentials(fresh);
  }
}

function readConfig(file: string | undefined): UserConfig {
  const config = new UserConfig();
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (cause) {
    throw new UsageError(
      `${file === undefined ? 'the kubeconfig' : `--kubeconfig ${file}`} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  return config;
}

function useContext(config: UserConfig, context: string): void {
  const names = config.getContexts().map(({ name }) => name);
  if (!names.includes(context))
    throw new UsageError(`--context ${context}: there is no such context, but ${names.join(', ') || 'none at all'}`);
  config.setCurrentContext(context);
}

interface Credentials {
  readonly tls: TlsOptions;
  readonly token: string | undefined;
}

async function credentials(config: UserConfig): Promise<Credentials> {
  const options: https.RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const tls = {
    ca: text(options.ca),
    cert: text(options.cert),
    key: text(options.key),
    servername: options.servername,
    rejectUnauthorized: options.rejectUnauthorized ?? true,
  };
  return { tls, token: bearer(options) };
}

function bearer({ headers }: https.RequestOptions): string | undefined {
  const authorization: unknown = Object.entries(headers ?? {}).find(
    ([name]) => name.toLowerCase() === 'authorization',
  )?.[1];
  return typeof authorization === 'string' ? authorization.replace(/^Bearer /i, '') : undefined;
}

function text(value: unknown): string | Buffer | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
}
