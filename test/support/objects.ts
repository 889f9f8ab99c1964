/**
 * Kubernetes objects as the API server gives them, with what a test does not care about filled in.
 */
export interface ServiceOptions {
  readonly clusterIPs?: readonly string[];
  readonly externalIPs?: readonly string[];
  readonly port?: number;
  readonly protocol?: 'TCP' | 'UDP';
  readonly labels?: Readonly<Record<string, string>>;
}

export function service(
  name: string,
  { clusterIPs = ['10.96.0.10'], externalIPs = [], port = 80, protocol = 'TCP', labels = {} }: ServiceOptions = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, labels, resourceVersion: '1' },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterIPs[0],
      clusterIPs,
      externalIPs,
      ports: [{ name: 'http', protocol, port }],
    },
  };
}

export interface SliceOptions {
  readonly name?: string;
  readonly addresses?: readonly string[];
  readonly addressType?: 'IPv4' | 'IPv6';
  readonly triggerTime?: string;
}

export function slice(
  serviceName: string,
  { name = `${serviceName}-1`, addresses = ['10.1.0.1'], addressType = 'IPv4', triggerTime }: SliceOptions = {},
): object {
  const annotations =
    triggerTime === undefined ? {} : { 'endpoints.kubernetes.io/last-change-trigger-time': triggerTime };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels: { 'kubernetes.io/service-name': serviceName },
      annotations,
      resourceVersion: '1',
    },
    addressType,
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

export function node(name = 'node-1', addresses: readonly string[] = ['192.168.0.1']): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, labels: {}, resourceVersion: '1' },
    spec: { podCIDRs: [] },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}

/** As a person writes it: what the API server sets is left out. */
export function withoutIdentity(object: object): object {
  const { metadata, ...rest } = object as { metadata: Record<string, unknown> };
  const { uid: _uid, resourceVersion: _version, ...written } = metadata;
  return { ...rest, metadata: written };
}
