/**
 * What the operator knows of the cluster: small records decoded from watch items, by name.
 */
import type { ObjectMeta } from '../api/objectMeta.ts';
import type { NodeProxy } from '../api/nodeProxy.ts';
import type { ProxyConfig } from '../api/proxyConfig.ts';

export interface KnownNode {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The Pod that runs a node's agent; its readiness is the agent's liveness. */
export interface AgentPod {
  readonly node: string;
  readonly ready: boolean;
}

export interface ClusterView {
  readonly nodes: ReadonlyMap<string, KnownNode>;
  readonly configs: ReadonlyMap<string, ProxyConfig>;
  readonly nodeProxies: ReadonlyMap<string, NodeProxy>;
  /** Names of nodes with a ready agent Pod. */
  readonly readyAgents: ReadonlySet<string>;
}

interface ApiObject {
  readonly metadata: ObjectMeta;
}
interface ApiNode extends ApiObject {
  readonly status?: { readonly nodeInfo?: { readonly operatingSystem?: string } };
}
interface ApiPod extends ApiObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export const agentLabels = { 'app.kubernetes.io/name': 'proxyconfig', 'app.kubernetes.io/component': 'agent' } as const;

/** The kubelet sets the label `kubernetes.io/os` as well as nodeInfo; a node whose label was taken away still says what it is. */
export function decodeNode(object: unknown): KnownNode {
  const { metadata, status } = object as ApiNode;
  const system = status?.nodeInfo?.operatingSystem;
  return { name: metadata.name, uid: metadata.uid ?? '', labels: { ...(system ? { 'kubernetes.io/os': system } : {}), ...metadata.labels } };
}

/** undefined for a Pod that is no agent, or stands on no node yet. */
export function decodeAgentPod(object: unknown): AgentPod | undefined {
  const { metadata, spec, status } = object as ApiPod;
  const isAgent = Object.entries(agentLabels).every(([name, value]) => metadata.labels?.[name] === value);
  if (!isAgent || !spec.nodeName) return undefined;
  const ready = !metadata.deletionTimestamp && (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');
  return { node: spec.nodeName, ready };
}

/** Without managedFields and annotations, which are most of an object's size and none of our business. */
export function decodeProxyConfig(object: unknown): ProxyConfig {
  const config = object as ProxyConfig;
  return { ...config, metadata: identityOf(config.metadata) };
}

export function decodeNodeProxy(object: unknown): NodeProxy {
  const nodeProxy = object as NodeProxy;
  const { ownerReferences } = nodeProxy.metadata;
  return { ...nodeProxy, metadata: { ...identityOf(nodeProxy.metadata), ...(ownerReferences ? { ownerReferences } : {}) } };
}

function identityOf({ name, uid, generation, resourceVersion, creationTimestamp, deletionTimestamp }: ObjectMeta): ObjectMeta {
  return Object.fromEntries(
    Object.entries({ name, uid, generation, resourceVersion, creationTimestamp, deletionTimestamp }).filter(([, value]) => value !== undefined),
  ) as unknown as ObjectMeta;
}
