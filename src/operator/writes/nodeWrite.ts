/**
 * How a node is assigned a revision: one NodeProxy per node, named as the node and owned by it, so that it goes with
 * the node.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { OwnerReference } from '../../api/objectMeta.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { apiVersion, nodeProxyResource, objectPath } from '../../api/resources.ts';
import type { KnownNode } from '../watch/clusterView.ts';
import type { ObjectWrite } from './objectWriter.ts';

/** Of all writes of the operator. */
export const fieldManager = 'proxyconfig-operator';

/** What a node is assigned: a revision of a ProxyConfig, which need not be its newest. */
export interface NodeAssignment {
  readonly config: ProxyConfig;
  readonly nodeConfig: NodeConfig;
  readonly revision: string;
}

export interface NodeWrite extends ObjectWrite {
  readonly node: string;
}

/**
 * Creates the NodeProxy, or patches the one that the decision was made on: a patch carries that one's resourceVersion,
 * so a decision on old knowledge is refused with a conflict instead of undoing a newer one. Fields of others are left
 * alone.
 */
export function nodeWrite(node: KnownNode, assignment: NodeAssignment, live: NodeProxy | undefined): NodeWrite {
  const spec = specOf(assignment);
  const ownerReferences = [ownerReferenceTo(node)];
  const query = { fieldManager };
  if (!live) {
    const body = {
      apiVersion,
      kind: nodeProxyResource.kind,
      metadata: { name: node.name, ownerReferences },
      spec,
    };
    return { node: node.name, method: 'POST', path: nodeProxyResource.path, options: { body, query } };
  }
  // A JSON patch replaces the configuration as a whole; a merge patch would keep settings that the new one leaves out.
  const body = [
    { op: 'add', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
    { op: 'add', path: '/metadata/ownerReferences', value: ownerReferences },
    { op: 'add', path: '/spec', value: spec },
  ];
  return {
    node: node.name,
    method: 'PATCH',
    path: objectPath(nodeProxyResource, node.name),
    options: { body, query, contentType: 'application/json-patch+json' },
  };
}

function specOf({ config, nodeConfig, revision }: NodeAssignment): NodeProxy['spec'] {
  const { name, uid = '', generation = 0 } = config.metadata;
  const { enabled, ...probe } = config.spec.rollout.probe;
  return { configRef: { name, uid, generation }, revision, config: nodeConfig, ...(enabled ? { probe } : {}) };
}

function ownerReferenceTo({ name, uid }: KnownNode): OwnerReference {
  return { apiVersion: 'v1', kind: 'Node', name, uid };
}
