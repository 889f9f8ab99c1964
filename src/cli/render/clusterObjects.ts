/**
 * From manifests to what a node's rules are made from: checked as the API server would, and decoded as the agent does.
 */
import { withDefaults } from '../../api/defaults.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { ownValue } from '../../api/ownValue.ts';
import { apiVersion, proxyConfigResource } from '../../api/resources.ts';
import { validateProxyConfig, type Violation } from '../../api/validation.ts';
import { decodeEndpointSlice } from '../../model/decodeEndpointSlice.ts';
import { decodeNode } from '../../model/decodeNode.ts';
import { decodeService, foreignClusterIPs } from '../../model/decodeService.ts';
import { decodeServiceCIDR } from '../../model/decodeServiceCIDR.ts';
import type { ClusterIPSources } from '../../model/clusterIPRanges.ts';
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import type { Decoded } from '../../model/fields.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { ServiceKey, ServiceRecord } from '../../model/service.ts';
import { serviceKeyOf } from '../../model/servicePort.ts';
import { isRecord } from '../../api/isRecord.ts';
import type { Manifest } from './manifests.ts';
import { withEndpointSliceDefaults, withNodeDefaults, withServiceDefaults } from './serverDefaults.ts';
import { serviceNotes, serviceProblems, withClusterIP } from './serviceManifest.ts';

/** The decoded objects of all manifests. */
export interface ClusterObjects {
  readonly configs: readonly ProxyConfig[];
  readonly nodes: ReadonlyMap<string, NodeRecord>;
  readonly services: ReadonlyMap<ServiceKey, ServiceRecord>;
  /** By Service. */
  readonly slices: ReadonlyMap<ServiceKey, readonly EndpointSliceRecord[]>;
  readonly clusterIPs: ClusterIPSources;
  /** What the API server would refuse, a line each: file, kind, name, field and remedy. */
  readonly problems: readonly string[];
  /** What a person should know, and that is no reason to refuse. */
  readonly notes: readonly string[];
}

class Collector implements ClusterObjects {
  readonly configs: ProxyConfig[] = [];
  readonly nodes = new Map<string, NodeRecord>();
  readonly services = new Map<ServiceKey, ServiceRecord>();
  readonly slices = new Map<ServiceKey, readonly EndpointSliceRecord[]>();
  readonly clusterIPs = { networks: [] as string[], foreign: [] as string[] };
  readonly problems: string[] = [];
  readonly notes: string[] = [];
  readonly #seen = new Map<string, Manifest>();

  add(manifest: Manifest, decode: Decode): void {
    const earlier = this.#seen.get(nameOf(manifest));
    this.#seen.set(nameOf(manifest), manifest);
    if (earlier !== undefined)
      this.report(manifest, [
        {
          field: 'metadata.name',
          message: `is taken by another one in ${earlier.source}; remove or rename one of them`,
        },
      ]);
    else decode(manifest, this);
  }

  report(manifest: Manifest, problems: readonly Violation[]): void {
    for (const { field, message } of problems)
      this.problems.push(`${manifest.source}: ${nameOf(manifest)}: ${field}: ${message}`);
  }

  note(manifest: Manifest, text: string): void {
    this.notes.push(`${manifest.source}: ${nameOf(manifest)}: ${text}`);
  }

  /** The decoder's record, its problems reported. */
  decoded<Record>(manifest: Manifest, { record, problems }: Decoded<Record>): Record | undefined {
    this.report(
      manifest,
      problems.map(({ field, message, remedy }) => ({ field, message: `${message}; ${remedy}` })),
    );
    return record;
  }
}

type Decode = (manifest: Manifest, into: Collector) => void;

const decoders: Readonly<Record<string, Decode>> = {
  [`${apiVersion} ${proxyConfigResource.kind}`]: addProxyConfig,
  'v1 Node': addNode,
  'v1 Service': addService,
  'discovery.k8s.io/v1 EndpointSlice': addEndpointSlice,
  'networking.k8s.io/v1 ServiceCIDR': addServiceCIDR,
};

/**
 * Decodes the kinds that rules depend on, and counts the others in a note. A second object of the same kind and name is
 * a problem.
 */
export function collectObjects(manifests: readonly Manifest[]): ClusterObjects {
  const collector = new Collector();
  const ignored = new Map<string, number>();
  for (const manifest of manifests) {
    const kind = `${manifest.apiVersion} ${manifest.kind}`;
    const decode = ownValue(decoders, kind);
    if (decode === undefined) ignored.set(kind, (ignored.get(kind) ?? 0) + 1);
    else collector.add(inDefaultNamespace(manifest), decode);
  }
  if (ignored.size > 0)
    collector.notes.push(`ignored: ${[...ignored].map(([kind, count]) => `${kind} (${count})`).join(', ')}`);
  return collector;
}

function addProxyConfig(manifest: Manifest, into: Collector): void {
  const violations = validateProxyConfig(manifest.object);
  into.report(manifest, violations);
  if (violations.length === 0) into.configs.push(withDefaults(manifest.object) as ProxyConfig);
}

function addNode(manifest: Manifest, into: Collector): void {
  const node = into.decoded(manifest, decodeNode(withNodeDefaults(manifest.object)));
  if (node !== undefined) into.nodes.set(node.name, node);
}

function addService(manifest: Manifest, into: Collector): void {
  const { service, isComplete } = withClusterIP(withServiceDefaults(manifest.object));
  const record = into.decoded(manifest, decodeService(service));
  into.report(manifest, serviceProblems(service));
  into.clusterIPs.foreign.push(...foreignClusterIPs(service));
  for (const note of serviceNotes(manifest.object)) into.note(manifest, note);
  if (record !== undefined && isComplete) into.services.set(serviceKeyOf(record), record);
}

function addEndpointSlice(manifest: Manifest, into: Collector): void {
  const decoded = decodeEndpointSlice(withEndpointSliceDefaults(manifest.object));
  const slice = into.decoded(manifest, decoded);
  if (slice === undefined) {
    if (decoded.problems.length === 0)
      into.note(
        manifest,
        'is not for this proxy: no label kubernetes.io/service-name, or those of a headless Service, of another proxy or of names',
      );
    return;
  }
  const others = (into.slices.get(slice.service) ?? []).filter(({ name }) => name !== slice.name);
  into.slices.set(slice.service, [...others, slice]);
}

function addServiceCIDR(manifest: Manifest, into: Collector): void {
  into.clusterIPs.networks.push(...(into.decoded(manifest, decodeServiceCIDR(manifest.object))?.networks ?? []));
}

/** As kubectl apply does with an object that names no namespace. */
function inDefaultNamespace(manifest: Manifest): Manifest {
  const { object, kind } = manifest;
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {};
  const isOfCluster = kind === 'Node' || kind === 'ServiceCIDR' || kind === proxyConfigResource.kind;
  if (isOfCluster || (metadata['namespace'] ?? '') !== '') return manifest;
  return { ...manifest, object: { ...object, metadata: { ...metadata, namespace: 'default' } } };
}

/**
 * e.g. `Service work/saythx-redis`; a name that could not be one is quoted, because terminals and logs obey control
 * characters.
 */
function nameOf({ kind, object }: Manifest): string {
  const { namespace, name } = isRecord(object['metadata']) ? object['metadata'] : {};
  const names = [namespace, name ?? '(without a name)'].filter((part) => part !== undefined);
  return `${kind} ${names.map((part) => (typeof part === 'string' && /^[\w.() -]+$/.test(part) ? part : JSON.stringify(part))).join('/')}`;
}
