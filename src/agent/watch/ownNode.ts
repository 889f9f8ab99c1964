/**
 * The agent's own Node, also while there is none: a Node that is gone says nothing of the machine, which goes on serving
 * with what was last known of it. kube-proxy ends where its Node is deleted or gets another address (1.37).
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { shortList } from '../../api/shortList.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { Logger } from '../../observability/logger.ts';
import type { ObservedNode } from './clusterWatch.ts';
import type { Store } from './store.ts';

export class OwnNode {
  readonly #store: Pick<Store, 'node' | 'setNode'>;
  readonly #logger: Logger;
  /** As it was last said; undefined before the first. */
  #said: NodeRecord | undefined;
  #isDeleted = false;
  #isEligible = true;

  constructor(store: Pick<Store, 'node' | 'setNode'>, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Whether load balancers may send new connections here; of a Node that was deleted what held before. */
  get isEligible(): boolean {
    return this.#isEligible;
  }

  /** Takes over what the API server says; undefined: the Node was deleted. Never throws. */
  observe(node: ObservedNode | undefined): void {
    this.#isDeleted = node === undefined;
    if (node === undefined) {
      this.#logger.warn('the Node was deleted; what was known of it stays in use');
      return;
    }
    const before = this.#store.node;
    this.#isEligible = node.isEligible;
    this.#said = node.record;
    this.#store.setNode(node.record);
    const { addresses = [], podCIDRs = [], zone = '' } = this.#store.node ?? {};
    if (this.#store.node !== before) this.#logger.info('the Node is followed', { addresses, podCIDRs, zone });
  }

  /** `NodeKnown` False while what is used of the Node is older than the Node, or there is none. */
  conditions(): readonly NodeConditionNow[] {
    const { node } = this.#store;
    if (node === undefined) return [];
    if (this.#isDeleted)
      return [
        notKnown(
          'NodeDeleted',
          `This Node was deleted; Services are served on with what was known of it (addresses ${shortList(node.addresses, 2)}). Restart its kubelet to have it back, or take the node out of service.`,
        ),
      ];
    const kept = keptNetwork(node, this.#said);
    if (kept.length === 0) return [];
    const message = `The Node says no ${kept.map(({ what }) => what).join(' and no ')}; those known before are used: ${shortList(
      kept.flatMap(({ values }) => values),
      3,
    )}.`;
    return [notKnown('NodeIncomplete', message)];
  }
}

function notKnown(reason: string, message: string): NodeConditionNow {
  return { type: 'NodeKnown', status: 'False', reason, message };
}

function keptNetwork(inUse: NodeRecord, said: NodeRecord | undefined): { what: string; values: readonly string[] }[] {
  return [
    { what: 'addresses', values: inUse.addresses, said: said?.addresses },
    { what: 'Pod ranges', values: inUse.podCIDRs, said: said?.podCIDRs },
  ].filter(({ values, said: now = [] }) => now.length === 0 && values.length > 0);
}
