/**
 * Decides when the NodeProxy's status is to be written, and hands it to the status writer.
 */
import { canonicalAddress } from '../../model/ipFamily.ts';
import type { StatusWriter } from '../../kube/statusWriter.ts';
import type { ConfigDecision } from '../config/configController.ts';
import { type Facts, isReady, isSameReport, isSettled, nodeProxyStatus, type NodeProxyStatus } from './report.ts';
import type { Store } from '../watch/store.ts';

/** What a report is made from, beside what never changes. */
export interface ReportInputs extends Pick<
  Facts,
  'dataplane' | 'invalidServices' | 'portConflicts' | 'selfServedAddress' | 'probe' | 'conditions'
> {
  readonly decision: ConfigDecision;
}

export class Reporter {
  readonly #writer: StatusWriter;
  readonly #agentInfo: Pick<Facts, 'agentVersion' | 'kernel'>;
  #uid: string | undefined;
  #last: NodeProxyStatus | undefined;
  #hasBeenReady = false;

  constructor(writer: StatusWriter, agentInfo: Pick<Facts, 'agentVersion' | 'kernel'>) {
    this.#writer = writer;
    this.#agentInfo = agentInfo;
  }

  /**
   * Writes the status where it differs from the last one, or the node is Ready for the first time. Writes nothing while
   * there is no NodeProxy, or it is not known yet what became of its configuration. The answer to a new generation and
   * the first Ready are urgent.
   */
  report({ decision: { nodeProxy, refusal }, ...inputs }: ReportInputs): void {
    if (nodeProxy === undefined || !isSettled({ ...inputs, refusal })) return;
    if (this.#uid !== nodeProxy.metadata.uid) {
      this.#uid = nodeProxy.metadata.uid;
      this.#last = nodeProxy.status;
      this.#writer.forget();
    }
    const generation = nodeProxy.metadata.generation ?? 0;
    const status = nodeProxyStatus({ ...this.#agentInfo, ...inputs, refusal, generation }, this.#last, new Date());
    const isNewGeneration = this.#last?.observedGeneration !== generation;
    const isFirstReady = isReady(status) && !this.#hasBeenReady;
    this.#hasBeenReady ||= isReady(status);
    if (isSameReport(status, this.#last) && !isFirstReady) return;
    this.#last = status;
    this.#writer.write(status, { urgent: isNewGeneration || isFirstReady });
  }

  /** Tries once to write what waits. */
  stop(): Promise<void> {
    return this.#writer.stop();
  }
}

/**
 * The host in `server`, a URL, where it is the name or an address of the Service default/kubernetes; else undefined. An
 * agent that reaches the API server so cannot start on a node without rules.
 */
export function selfServedAddress(server: string, store: Pick<Store, 'service'>): string | undefined {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  if (host.startsWith('kubernetes.default')) return host;
  const address = canonicalAddress(host);
  const isService = address !== undefined && store.service('default/kubernetes')?.clusterIPs.includes(address) === true;
  return isService ? address : undefined;
}
