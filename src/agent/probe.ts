/**
 * Tries real connections from this node to Services after a new revision came into force, before the node calls itself
 * Ready.
 *
 * Only a change is probed: a revision that was Ready here before, also before a restart of the agent, stays so. A node
 * that goes back to the revision it had needs no connection that may have been broken before the change.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import type { Refusal } from '../backend/backend.ts';
import type { Logger } from '../observability/logger.ts';
import type { DesiredConfig } from './desiredConfig.ts';
import type { Store } from './store.ts';

export type ProbeSpec = NonNullable<NodeProxy['spec']['probe']>;
export type ProbedService = NonNullable<ProbeSpec['services']>[number];

/** `trying` until the first try is over: there is no answer yet. */
export type ProbeResult =
  | { readonly kind: 'trying' }
  | { readonly kind: 'verifying' | 'failed'; readonly why: Refusal };

/** Undefined when a connection was made and closed again; else why not, in words for a status. */
export type Dial = (address: string, port: number) => Promise<string | undefined>;

export interface ProberOptions {
  readonly store: Pick<Store, 'service'>;
  readonly logger: Logger;
  readonly onStatusChange: () => void;
  readonly dial?: Dial;
}

/** The API server's own Service is there on every cluster. */
const byDefault: readonly ProbedService[] = [{ namespace: 'default', name: 'kubernetes', port: 443 }];
const dialTimeoutMs = 3000;

export class Prober {
  readonly #options: ProberOptions;
  #verified: string | undefined;
  #current: { readonly revision: string; readonly stop: AbortController } | undefined;
  #result: ProbeResult | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Undefined when nothing speaks against the configuration in force. */
  get result(): ProbeResult | undefined {
    return this.#result;
  }

  /** To be told whenever one of both may have changed. */
  observe(nodeProxy: NodeProxy | undefined, inForce: DesiredConfig | undefined): void {
    if (nodeProxy === undefined || this.#isStopped) return;
    const { revision, probe } = nodeProxy.spec;
    this.#verified ??= readyRevision(nodeProxy);
    const isDue = inForce?.source === 'NodeProxy' && inForce.revision === revision && revision !== this.#verified;
    if (!isDue) this.#cancel();
    else if (probe === undefined) this.#verified = revision;
    else if (this.#current?.revision !== revision) this.#start(revision, probe);
  }

  #start(revision: string, probe: ProbeSpec): void {
    this.#cancel();
    const stop = new AbortController();
    this.#current = { revision, stop };
    this.#result = { kind: 'trying' };
    this.#running = this.#probe(revision, probe, stop.signal);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#running;
  }

  #cancel(): void {
    this.#current?.stop.abort();
    this.#current = undefined;
    this.#result = undefined;
  }

  /**
   * Until every connection was made in one try, also after it was said to have failed: what is wrong may be put right.
   */
  async #probe(revision: string, probe: ProbeSpec, signal: AbortSignal): Promise<void> {
    const { logger, onStatusChange } = this.#options;
    for (let failures = 1; ; failures += 1) {
      const problem = await this.#tryAll(probe.services?.length ? probe.services : byDefault);
      if (signal.aborted) return;
      if (problem === undefined) break;
      const kind = failures >= probe.failureThreshold ? 'failed' : 'verifying';
      logger.warn('a probe failed', { revision, problem, failures, failureThreshold: probe.failureThreshold });
      this.#result = { kind, why: { reason: kind === 'failed' ? 'ProbeFailed' : 'Verifying', message: problem } };
      onStatusChange();
      await sleep(probe.periodSeconds * 1000, undefined, { signal }).catch(() => undefined);
    }
    this.#verified = revision;
    this.#current = undefined;
    this.#result = undefined;
    onStatusChange();
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

/** A system's error code is a word of ours to quote; the rest of its message is not needed. */
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
