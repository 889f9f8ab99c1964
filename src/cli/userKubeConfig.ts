/**
 * How a person reaches the API server: the files, contexts and logins of kubectl.
 *
 * client-node knows them all (several files in KUBECONFIG, credential plug-ins, OIDC, a Pod's service account); an
 * agent does without for its memory's sake, see src/kube/kubeConfig.ts.
 */
import type https from 'node:https';
import { KubeConfig as UserConfig } from '@kubernetes/client-node';
import { UsageError } from '../config.ts';
import type { KubeConfig } from '../kube/kubeConfig.ts';

/** A KubeConfig with the name of the context that it comes from. */
export interface UserKubeConfig extends KubeConfig {
  readonly context: string;
  /** Has credentials asked for again, because a token has run out; those in hand stay until there are new ones. */
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
  let options = await credentials(config);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    context: config.getCurrentContext(),
    tls: {
      ca: text(options.ca),
      cert: text(options.cert),
      key: text(options.key),
      servername: options.servername,
      rejectUnauthorized: options.rejectUnauthorized ?? true,
    },
    token: () => bearer(options),
    refresh: () => {
      credentials(config).then(
        (fresh) => (options = fresh),
        () => undefined,
      );
    },
  };
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

async function credentials(config: UserConfig): Promise<https.RequestOptions> {
  const options: https.RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
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
