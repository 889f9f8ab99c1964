/**
 * Decides when there is something to say in the NodeProxy, and has it written.
 */
import { canonicalAddress } from '../model/ipFamily.ts';
import type { StatusWriter } from '../kube/statusWriter.ts';
import type { ConfigDecision } from './configController.ts';
import { type Facts, isReady, isSameReport, isSettled, nodeProxyStatus, type NodeProxyStatus } from './report.ts';
import type { Store } from './store.ts';

export interface ReportInputs extends Pick<
  Facts,
  'dataplane' | 'invalidServices' | 'selfServedAddress' | 'probe' | 'conditions'
> {
  readonly decision: ConfigDecision;
}

export class Reporter {
  readonly #writer: StatusWriter;
  readonly #about: Pick<Facts, 'agentVersion' | 'kernel'>;
  #uid: string | undefined;
  #last: NodeProxyStatus | undefined;
  #hasBeenReady = false;

  constructor(writer: StatusWriter, about: Pick<Facts, 'agentVersion' | 'kernel'>) {
    this.#writer = writer;
    this.#about = about;
  }

  /** Says nothing while there is no NodeProxy to say it in, or no answer yet to what it asks. */
  report({ decision: { nodeProxy, refusal }, ...inputs }: ReportInputs): void {
    if (nodeProxy === undefined || !isSettled({ ...inputs, refusal })) return;
    if (this.#uid !== nodeProxy.metadata.uid) {
      this.#uid = nodeProxy.metadata.uid;
      this.#last = nodeProxy.status;
      this.#writer.forget();
    }
    const generation = nodeProxy.metadata.generation ?? 0;
    const status = nodeProxyStatus({ ...this.#about, ...inputs, refusal, generation }, this.#last, new Date());
    const isNewGeneration = this.#last?.observedGeneration !== generation;
    const isFirstReady = isReady(status) && !this.#hasBeenReady;
    this.#hasBeenReady ||= isReady(status);
    if (isSameReport(status, this.#last) && !isFirstReady) return;
    this.#last = status;
    this.#writer.write(status, { urgent: isNewGeneration || isFirstReady });
  }

  stop(): Promise<void> {
    return this.#writer.stop();
  }
}

/**
 * The API server's address where it is the Service's that this agent makes work; undefined where it is the server's
 * own.
 */
export function selfServedAddress(server: string, store: Pick<Store, 'service'>): string | undefined {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  if (host.startsWith('kubernetes.default')) return host;
  const address = canonicalAddress(host);
  const isService = address !== undefined && store.service('default/kubernetes')?.clusterIPs.includes(address) === true;
  return isService ? address : undefined;
}
