/**
 * @module `proxyconfig status`: the state of ProxyConfigs and of their nodes that are not as wanted; with --watch, as
 * it changes.
 */
import { once } from 'node:events';
import { aborted } from '../../aborted.ts';
import type { StatusConfig } from '../../config.ts';
import { ApiError, isNotFound, isUnauthorized, isUnreachable } from '../../kube/apiError.ts';
import { createKubeClient, type KubeClient } from '../../kube/client.ts';
import { formatView, watchOutput, type Output, type Streams } from './output.ts';
import { createStatusSource, type StatusListener } from './source.ts';
import { isAllReady, statusView, type StatusView } from './view.ts';
import { loadUserKubeConfig, type UserKubeConfig } from '../userKubeConfig.ts';

/** Not ready, or nothing there that could be. */
const notReady = 3;
/** Changes that come together are shown together. */
const debounceMs = 100;
/** How long a server that says it is busy, or only starting, is asked again before that is the answer. */
const busyTimeoutMs = 10_000;

/**
 * Resolves to the exit status: 0 all Ready, 3 some not or none there, 1 where --watch was ended before all was listed.
 * Throws UsageError where no cluster is configured, and an Error with the reason where the API server gives no answer.
 */
export async function runStatus(config: StatusConfig, streams: Streams, signal: AbortSignal): Promise<number> {
  const user = await loadUserKubeConfig(config);
  const client = createKubeClient(user, {
    userAgent: `proxyconfig-status/${config.version}`,
    requestTimeoutMs: 15_000,
  });
  try {
    return await (config.watch ? watchStatus : showStatus)({ config, client, user, streams, signal });
  } finally {
    await client.close();
  }
}

interface Run {
  readonly config: StatusConfig;
  readonly client: KubeClient;
  readonly user: UserKubeConfig;
  readonly streams: Streams;
  readonly signal: AbortSignal;
}

async function showStatus({ config, client, streams, signal }: Run): Promise<number> {
  const failed = Promise.withResolvers<never>();
  const giveUpAt = performance.now() + busyTimeoutMs;
  const onError = (error: unknown): void => {
    if (!isBusy(error) || performance.now() > giveUpAt) failed.reject(explained(error, client));
  };
  const source = createStatusSource(client, { onChange: () => undefined, onError, onRecovered: () => undefined });
  try {
    source.start();
    await Promise.race([source.synced, failed.promise, interrupted(signal)]);
    const view = viewOf(source.objects(), config);
    streams.stdout.write(formatView(view, config, streams.stdout));
    return exitStatus(view);
  } finally {
    await source.stop();
  }
}

async function interrupted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}

/** Until the signal fires; an API server that goes away is waited for. */
async function watchStatus(run: Run): Promise<number> {
  const { config, client, user, streams, signal } = run;
  const output = watchOutput(config, user.context, streams);
  const watch = new StatusWatch(run, output);
  const source = createStatusSource(client, watch);
  try {
    source.start();
    await Promise.race([source.synced, watch.failed, aborted(signal)]);
    if (signal.aborted) return 1;
    watch.onSynced(() => statusView(source.objects(), config.name));
    await aborted(signal);
    return watch.last === undefined ? 1 : exitStatus(watch.last);
  } finally {
    await source.stop();
    watch.stop();
    output.close();
  }
}

/** Passes what the source observes on to the output. */
class StatusWatch implements StatusListener {
  /** Rejects when the first list fails for a reason that waiting does not mend. */
  readonly failed: Promise<never>;
  readonly #run: Run;
  readonly #output: Output;
  readonly #fail: (error: Error) => void;
  #read: (() => StatusView) | undefined;
  #last: StatusView | undefined;
  #warning: string | undefined;
  #showTimer: NodeJS.Timeout | undefined;

  constructor(run: Run, output: Output) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    this.#run = run;
    this.#output = output;
  }

  get last(): StatusView | undefined {
    return this.#last;
  }

  /** Everything has been listed: from now on it is shown. */
  onSynced(read: () => StatusView): void {
    this.#read = read;
    this.#show();
  }

  stop(): void {
    clearTimeout(this.#showTimer);
  }

  onChange(): void {
    if (this.#read !== undefined) this.#showTimer ??= setTimeout(() => this.#show(), debounceMs);
  }

  onError(error: unknown): void {
    const { client, user } = this.#run;
    const problem = explained(error, client);
    // A server whose certificate is not accepted counts as out of reach.
    if (isUnauthorized(error) || isUnreachable(error)) user.refresh();
    if (this.#read === undefined && !isUnreachable(error) && !isBusy(error)) this.#fail(problem);
    else this.#warn(`${problem.message}; trying again${this.#read === undefined ? '' : ', what is shown may be old'}`);
  }

  onRecovered(): void {
    this.#warn(undefined);
  }

  #show(): void {
    this.#showTimer = undefined;
    if (this.#read === undefined) return;
    this.#last = this.#read();
    this.#output.show(this.#last);
  }

  /** Each message once, however often a try fails. */
  #warn(message: string | undefined): void {
    if (message === this.#warning) return;
    this.#warning = message;
    this.#output.warn(message);
  }
}

function viewOf(objects: Parameters<typeof statusView>[0], { name }: StatusConfig): StatusView {
  const configs = [...objects.configs];
  if (name !== undefined && !configs.some(({ metadata }) => metadata.name === name)) {
    throw new Error(
      `there is no ProxyConfig ${name}, but ${
        configs
          .map(({ metadata }) => metadata.name)
          .sort()
          .join(', ') || 'none at all'
      }`,
    );
  }
  return statusView({ ...objects, configs }, name);
}

function exitStatus(view: StatusView): number {
  return isAllReady(view) ? 0 : notReady;
}

function isBusy(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 429 || error.status >= 500);
}

function explained(error: unknown, { server }: KubeClient): Error {
  if (!(error instanceof ApiError)) return new Error(String(error), { cause: error });
  if (isUnreachable(error)) return new Error(`the API server at ${server} does not answer`, { cause: error });
  if (isNotFound(error))
    return new Error(
      `the API server at ${server} has no ProxyConfigs: the product is not installed there (kubectl apply -k .)`,
      { cause: error },
    );
  if (isUnauthorized(error))
    return new Error(`the API server at ${server} does not accept these credentials`, { cause: error });
  return new Error(`the API server at ${server} refuses: ${error.message}`, { cause: error });
}
