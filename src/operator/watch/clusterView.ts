/**
 * What the operator knows of the cluster: small records decoded from watch items, by name.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { ObjectMeta } from '../../api/objectMeta.ts';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { ownValue } from '../../api/ownValue.ts';
import { proxyConfigResource, revisionLabel } from '../../api/resources.ts';

/** What matters of a Node. */
export interface KnownNode {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** False where the condition Ready is False or Unknown; true also for a Node without it. */
  readonly ready: boolean;
}

/** The Pod that runs a node's agent; its readiness is the agent's liveness. */
export interface AgentPod {
  readonly node: string;
  readonly ready: boolean;
}

/** One configuration that nodes were once assigned, kept for a rollback and for nodes that come in mid-rollout. */
export interface KnownRevision {
  readonly name: string;
  /** uid of the ProxyConfig that owns it. */
  readonly owner: string;
  readonly revision: string;
  /** Counts up from revision to revision. */
  readonly number: number;
  readonly nodeConfig: NodeConfig;
}

/** Everything that a reconciliation decides on. */
export interface ClusterView {
  readonly nodes: ReadonlyMap<string, KnownNode>;
  readonly configs: ReadonlyMap<string, ProxyConfig>;
  readonly nodeProxies: ReadonlyMap<string, NodeProxy>;
  /** NodeProxies that somebody has deleted, as they last were; their nodes still run what they say. */
  readonly lostNodeProxies: ReadonlyMap<string, NodeProxy>;
  /** ControllerRevisions of ours, by name. */
  readonly revisions: ReadonlyMap<string, KnownRevision>;
  /** Names of nodes with a ready agent Pod. */
  readonly readyAgents: ReadonlySet<string>;
  /** Names of nodes with agent Pods none of which is ready. A node without any may have an agent outside of a Pod. */
  readonly unreadyAgents: ReadonlySet<string>;
}

interface ApiObject {
  readonly metadata: ObjectMeta;
}
interface ApiNode extends ApiObject {
  readonly status?: { readonly nodeInfo?: { readonly operatingSystem?: string }; readonly conditions?: ApiConditions };
}
interface ApiPod extends ApiObject {
  readonly spec: { readonly nodeName?: string; readonly affinity?: DaemonAffinity };
  readonly status?: { readonly conditions?: ApiConditions };
}
interface ApiControllerRevision extends ApiObject {
  readonly revision: number;
  readonly data?: NodeConfig;
}
/** By which a DaemonSet says for which node it made a Pod, also before that is scheduled. */
interface DaemonAffinity {
  readonly nodeAffinity?: {
    readonly requiredDuringSchedulingIgnoredDuringExecution?: {
      readonly nodeSelectorTerms?: readonly {
        readonly matchFields?: readonly { readonly key: string; readonly values?: readonly string[] }[];
      }[];
    };
  };
}
type ApiConditions = readonly { readonly type: string; readonly status: string }[];

/** Labels of the Pods that run agents, as config/ sets them. */
export const agentLabels = { 'app.kubernetes.io/name': 'proxyconfig', 'app.kubernetes.io/component': 'agent' } as const;

/**
 * The kubelet sets the label `kubernetes.io/os` as well as nodeInfo; a node whose label was taken away still says what
 * it is.
 */
export function decodeNode(object: unknown): KnownNode {
  const { metadata, status } = object as ApiNode;
  const system = status?.nodeInfo?.operatingSystem;
  const ready = (status?.conditions ?? []).every(({ type, status: is }) => type !== 'Ready' || is === 'True');
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    labels: { ...(system ? { 'kubernetes.io/os': system } : {}), ...metadata.labels },
    ready,
  };
}

/** undefined for a Pod that is no agent, or is meant for no certain node. */
export function decodeAgentPod(object: unknown): AgentPod | undefined {
  const { metadata, spec, status } = object as ApiPod;
  const isAgent = Object.entries(agentLabels).every(([name, value]) => ownValue(metadata.labels, name) === value);
  const node = spec.nodeName || nodeMeantBy(spec.affinity);
  if (!isAgent || !node) return undefined;
  const ready =
    !metadata.deletionTimestamp &&
    (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');
  return { node, ready };
}

function nodeMeantBy({ nodeAffinity }: DaemonAffinity = {}): string | undefined {
  const terms = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.flatMap(({ matchFields = [] }) => matchFields).find(({ key }) => key === 'metadata.name')?.values?.[0];
}

/** undefined for a ControllerRevision without our label: the namespace holds those of DaemonSets, too. */
export function decodeRevision(object: unknown): KnownRevision | undefined {
  const { metadata, revision: number, data } = object as ApiControllerRevision;
  const revision = ownValue(metadata.labels, revisionLabel);
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === proxyConfigResource.kind)?.uid;
  if (revision === undefined || owner === undefined || data === undefined || metadata.deletionTimestamp !== undefined)
    return undefined;
  return { name: metadata.name, owner, revision, number, nodeConfig: data };
}

/** Without managedFields and annotations, which are most of an object's size and decide nothing. */
export function decodeProxyConfig(object: unknown): ProxyConfig {
  const config = object as ProxyConfig;
  return { ...config, metadata: identityOf(config.metadata) };
}

/** As `decodeProxyConfig`, with ownerReferences. */
export function decodeNodeProxy(object: unknown): NodeProxy {
  const nodeProxy = object as NodeProxy;
  const { ownerReferences } = nodeProxy.metadata;
  return {
    ...nodeProxy,
    metadata: { ...identityOf(nodeProxy.metadata), ...(ownerReferences ? { ownerReferences } : {}) },
  };
}

function identityOf({
  name,
  uid,
  generation,
  resourceVersion,
  creationTimestamp,
  deletionTimestamp,
}: ObjectMeta): ObjectMeta {
  return Object.fromEntries(
    Object.entries({ name, uid, generation, resourceVersion, creationTimestamp, deletionTimestamp }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as unknown as ObjectMeta;
}
