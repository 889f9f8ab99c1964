/**
 * What a row asks and expects, without names and numbers: of two rows in which that is the same, one says nothing.
 */
import type { Addresses } from '../support/network.ts';
import { addresses, gateways } from '../support/network.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';
import type { PacketRow, Scenario } from './scenario.ts';

/** One for each protocol of the row. `before`: the scenarios before this one, of which it may change a Service. */
export function questionsOf(scenario: Scenario, row: PacketRow, before: readonly Scenario[]): readonly string[] {
  const { config, serviceCIDRs, objects } = scenario;
  const asked = objects.filter((service) => isAsked(service, row));
  // Where no Service is asked, any of them may be what must not answer.
  const services = asked.length > 0 ? asked : objects;
  const shapes = services.map((service) => [shapeOf(service), ...earlierShapes(service, before)]);
  const protocols = row.protocol === undefined ? ['TCP', 'UDP'] : [row.protocol];
  return protocols.map((protocol) =>
    anonymous([config, serviceCIDRs, shapes, row.from, row.to, row.port, row.andTo, protocol, row.expect], services),
  );
}

function isAsked({ clusterIP, loadBalancerIP, spec, ports = [] }: ServiceManifest, { to, port }: PacketRow): boolean {
  const externalIPs = (spec?.['externalIPs'] ?? []) as readonly string[];
  return (
    [clusterIP.ipv4, loadBalancerIP?.ipv4, ...externalIPs].includes(to.ipv4) ||
    ports.some(({ nodePort }) => nodePort !== undefined && nodePort === port)
  );
}

function shapeOf({ namespace: _namespace, name: _name, ...shape }: ServiceManifest): object {
  return shape;
}

function earlierShapes({ name }: ServiceManifest, before: readonly Scenario[]): readonly object[] {
  return before.flatMap(({ objects }) => objects.filter((other) => other.name === name).map(shapeOf));
}

/** Addresses by what they are, and the pods of the node by their order: which of them it is does not matter. */
function anonymous(question: unknown, services: readonly ServiceManifest[]): string {
  const known: readonly (readonly [string, Addresses])[] = [
    ...services.flatMap(({ clusterIP, loadBalancerIP = clusterIP }) => [
      ['a cluster IP', clusterIP] as const,
      ['a balancer', loadBalancerIP] as const,
    ]),
    ...Object.entries(addresses).map(([host, address]) => [`where ${host} is`, address] as const),
    ...Object.entries(gateways).map(([pod, address]) => [`the link of ${pod}`, address] as const),
  ];
  const named = known.reduce(
    (text, [name, { ipv4, ipv6 }]) => text.replaceAll(`"${ipv4}"`, `"${name}"`).replaceAll(`"${ipv6}"`, `"${name}"`),
    JSON.stringify(question),
  );
  const pods = [...new Set(named.match(pod))];
  const numbered = named.replaceAll(pod, (name) => `pod ${pods.indexOf(name)}`);
  return numbered
    .replaceAll(allowedIP, '"an allowed IP"')
    .replaceAll(refusedIP, '"a refused IP"')
    .replaceAll(nodePort, 'a NodePort');
}

const allowedIP = /"(?:198\.51\.100\.\d+|2001:db8:3::\d+)"/g;
const refusedIP = /"(?:198\.51\.101\.\d+|2001:db8:4::\d+)"/g;
const pod = /pod[ABC]/g;
const nodePort = /\b3[0-2]\d{3}\b/g;
