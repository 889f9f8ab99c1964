/**
 * Makes TCP connections from this node to Services after a new revision came into force, before the node is reported as
 * Ready.
 *
 * Only a change is probed: a revision that was Ready here before, also before a restart of the agent, stays Ready. So a
 * node that is rolled back to its last revision does not depend on a connection that the change has broken.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { Refusal } from '../../backend/backend.ts';
import type { Logger } from '../../observability/logger.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';
import type { Store } from '../watch/store.ts';

export type ProbeSpec = NonNullable<NodeProxy['spec']['probe']>;
export type ProbedService = NonNullable<ProbeSpec['services']>[number];

/**
 * `trying` until the first attempt is over; `verifying` after an attempt that failed; `failed` after
 * `failureThreshold` in a row.
 */
export type ProbeResult =
  | { readonly kind: 'trying' }
  | { readonly kind: 'verifying' | 'failed'; readonly why: Refusal };

/** Resolves to undefined when a TCP connection was made and closed again, else to the reason, in words for a status. */
export type Dial = (address: string, port: number) => Promise<string | undefined>;

export interface ProberOptions {
  readonly store: Pick<Store, 'service'>;
  readonly logger: Logger;
  /**
   * What is known of the revision in force: undefined where it needs no probe or its probe succeeded. Called after each
   * attempt, and by `observe` where there is nothing to try; the same may be told again.
   */
  readonly onResult: (revision: string, result: ProbeResult | undefined) => void;
  readonly dial?: Dial;
}

/** Where the spec names none: the API server's Service, which every cluster has. */
const defaultServices: readonly ProbedService[] = [{ namespace: 'default', name: 'kubernetes', port: 443 }];
const dialTimeoutMs = 3000;

export class Prober {
  readonly #options: ProberOptions;
  #verified: string | undefined;
  #current: { readonly revision: string; readonly abort: AbortController } | undefined;
  #result: ProbeResult | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Undefined when the configuration in force needs no probe, or its probe succeeded. */
  get result(): ProbeResult | undefined {
    return this.#result;
  }

  /**
   * Starts, restarts or cancels the probe. To be called whenever one of both may have changed; equal input changes
   * nothing.
   */
  observe(nodeProxy: NodeProxy | undefined, inForce: DesiredConfig | undefined): void {
    if (nodeProxy === undefined || this.#isStopped) return;
    const { revision, probe } = nodeProxy.spec;
    this.#verified ??= readyRevision(nodeProxy);
    if (inForce?.source !== 'NodeProxy' || inForce.revision !== revision) this.#cancel();
    else if (probe === undefined || revision === this.#verified) this.#pass(revision);
    else if (this.#current?.revision !== revision) this.#start(revision, probe);
  }

  #pass(revision: string): void {
    this.#cancel();
    this.#verified = revision;
    this.#options.onResult(revision, undefined);
  }

  #start(revision: string, probe: ProbeSpec): void {
    this.#cancel();
    const abort = new AbortController();
    this.#current = { revision, abort };
    this.#result = { kind: 'trying' };
    this.#running = this.#probe(revision, probe, abort.signal);
  }

  /** Cancels the probe and resolves when its attempt has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#running;
  }

  #cancel(): void {
    this.#current?.abort.abort();
    this.#current = undefined;
    this.#result = undefined;
  }

  /** Tries until every connection was made in one attempt, also after the probe has failed: the cause may be mended. */
  async #probe(revision: string, probe: ProbeSpec, signal: AbortSignal): Promise<void> {
    const { logger, onResult } = this.#options;
    for (let failures = 1; ; failures += 1) {
      const problem = await this.#tryAll(probe.services?.length ? probe.services : defaultServices);
      if (signal.aborted) return;
      if (problem === undefined) break;
      const kind = failures >= probe.failureThreshold ? 'failed' : 'verifying';
      logger.warn('a probe failed', { revision, problem, failures, failureThreshold: probe.failureThreshold });
      this.#result = { kind, why: { reason: kind === 'failed' ? 'ProbeFailed' : 'Verifying', message: problem } };
      onResult(revision, this.#result);
      await sleep(probe.periodSeconds * 1000, undefined, { signal }).catch(() => undefined);
    }
    this.#pass(revision);
  }

  async #tryAll(services: readonly ProbedService[]): Promise<string | undefined> {
    const problems = await Promise.all(services.map((service) => this.#try(service)));
    return problems.find((problem) => problem !== undefined);
  }

  async #try({ namespace, name, port }: ProbedService): Promise<string | undefined> {
    const { store, dial = dialTCP } = this.#options;
    const service = store.service(`${namespace}/${name}`);
    const what = `probe of Service ${namespace}/${name} port ${port}`;
    if (service === undefined)
      return `${what}: there is no such Service with a cluster IP; correct spec.rollout.probe.services`;
    const protocols = service.ports.filter((known) => known.port === port).map(({ protocol }) => protocol);
    if (protocols.length === 0) return `${what}: the Service has no such port; correct spec.rollout.probe.services`;
    if (!protocols.includes('TCP')) return undefined;
    const problems = await Promise.all(
      service.clusterIPs.map(async (address) => ({ address, problem: await dial(address, port) })),
    );
    const failed = problems.find(({ problem }) => problem !== undefined);
    return failed && `${what}: no connection from this node to ${failed.address}: ${failed.problem}`;
  }
}

function readyRevision({ spec, status }: NodeProxy): string | undefined {
  const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
  return isReady && status?.revision === spec.revision ? spec.revision : undefined;
}

/** Gives the error code of the system call (`ECONNREFUSED`), or that nothing answered in time. */
function dialTCP(address: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect({ host: address, port, timeout: dialTimeoutMs });
  const end = (problem: string | undefined): void => {
    socket.destroy();
    resolve(problem);
  };
  socket.once('connect', () => end(undefined));
  socket.once('timeout', () => end(`nothing within ${dialTimeoutMs / 1000} s`));
  socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code ?? 'refused'));
  return promise;
}
