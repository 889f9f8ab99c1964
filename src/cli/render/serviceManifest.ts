/**
 * What the API server would do to a Service that was written by hand, beyond what the agent's decoder checks: refuse
 * combinations of ports, and allocate addresses and ports that a manifest leaves out.
 */
import type { Violation } from '../../api/validation.ts';
import { isRecord } from '../../api/isRecord.ts';
import { ownValue } from '../../api/ownValue.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What breaks the API server's rules for `spec.ports`; the decoder has checked each port by itself. */
export function serviceProblems(service: Fields): Violation[] {
  const { type, ports, isHeadless, isListAlone } = specOf(service);
  if (type === 'ExternalName') return [];
  if (isListAlone)
    return [
      { field: 'spec.clusterIPs', message: 'must be empty without spec.clusterIP; set that to the first of them' },
    ];
  if (ports.length === 0 && !isHeadless)
    return [{ field: 'spec.ports', message: 'is required; give at least one port' }];
  return ports.flatMap((port, index) =>
    portProblems(port, ports.slice(0, index), { type, count: ports.length }).map(({ field, message }) => ({
      field: `spec.ports[${index}].${field}`,
      message,
    })),
  );
}

function portProblems(
  port: Fields,
  earlier: readonly Fields[],
  { type, count }: { type: string; count: number },
): Violation[] {
  const protocol = port['protocol'] ?? 'TCP';
  const hasSame = (field: string) => (other: Fields) => {
    const value = ownValue(port, field);
    return value !== undefined && ownValue(other, field) === value;
  };
  const samePort = earlier.filter(hasSame('port')).some((other) => (other['protocol'] ?? 'TCP') === protocol);
  const rules = [
    {
      field: 'name',
      isBroken: count > 1 && (port['name'] ?? '') === '',
      message: 'is required where a Service has several ports; give each a name',
    },
    {
      field: 'name',
      isBroken: earlier.some(hasSame('name')),
      message: 'is taken by an earlier port; give each its own name',
    },
    { field: 'port', isBroken: samePort, message: 'and protocol are those of an earlier port; remove one of them' },
    {
      field: 'nodePort',
      isBroken: type === 'ClusterIP' && Boolean(port['nodePort']),
      message: 'may not be used with type ClusterIP; remove it or set spec.type to NodePort',
    },
  ];
  return rules.filter(({ isBroken }) => isBroken).map(({ field, message }) => ({ field, message }));
}

/**
 * The Service with a cluster IP: one without gets a placeholder, so that everything else in it is checked; it is not
 * complete then, and must not be rendered.
 */
export function withClusterIP(service: Fields): { service: Fields; isComplete: boolean } {
  const { type, clusterIP } = specOf(service);
  if (clusterIP !== '' || type === 'ExternalName') return { service, isComplete: true };
  const spec = isRecord(service['spec']) ? service['spec'] : {};
  return { service: { ...service, spec: { ...spec, clusterIP: '192.0.2.1' } }, isComplete: false };
}

/** What a manifest leaves to the API server, so that nothing can be rendered for it. */
export function serviceNotes(service: Fields): string[] {
  const { type, ports, clusterIP } = specOf(service);
  if (type === 'ExternalName') return [];
  const fromCluster =
    'the API server would allocate one; write it, or take the object from a cluster (kubectl get -o yaml)';
  if (clusterIP === '') return [`no spec.clusterIP, so no rules: ${fromCluster}`];
  const withoutNodePort = ports.filter((port) => !port['nodePort']).map((port) => String(port['name'] ?? port['port']));
  if (type !== 'NodePort' || withoutNodePort.length === 0) return [];
  return [`no nodePort for port ${withoutNodePort.join(', ')}: ${fromCluster}`];
}

interface Spec {
  readonly type: string;
  readonly ports: readonly Fields[];
  readonly clusterIP: string;
  readonly isHeadless: boolean;
  /** Addresses are in clusterIPs and not in clusterIP. */
  readonly isListAlone: boolean;
}

function specOf(service: Fields): Spec {
  const spec = isRecord(service['spec']) ? service['spec'] : {};
  const { type, ports, clusterIPs } = spec;
  const [first] = Array.isArray(clusterIPs) ? (clusterIPs as unknown[]) : [];
  const clusterIP = textOf(spec['clusterIP']) || textOf(first);
  return {
    type: textOf(type) || 'ClusterIP',
    ports: Array.isArray(ports) ? ports.filter(isRecord) : [],
    clusterIP,
    isHeadless: clusterIP === 'None',
    isListAlone: textOf(spec['clusterIP']) === '' && clusterIP !== '',
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
