/**
 * EndpointSlices from the API server or a file -> records.
 */
import { ownValue } from '../api/ownValue.ts';
import type { EndpointRecord, EndpointSliceRecord } from './endpointSlice.ts';
import { compact } from './compact.ts';
import type { Decoded } from './fields.ts';
import {
  dnsLabel,
  dnsSubdomain,
  Fields,
  flag,
  ipAddress,
  oneOf,
  plainText,
  portName,
  portNumber,
  protocol,
} from './fields.ts';
import type { IPFamily } from './ipFamily.ts';
import { familyOf, isEndpointAddress } from './ipFamily.ts';
import { serviceKeyOf } from './servicePort.ts';

/**
 * Turns a discovery.k8s.io/v1 EndpointSlice into the record that a node keeps. Slices of names (FQDN), of headless
 * Services, of another proxy and of no Service have none. An invalid endpoint or port is left out and reported in
 * `problems`; the others go on serving.
 */
export function decodeEndpointSlice(object: unknown): Decoded<EndpointSliceRecord> {
  const slice = new Fields(object);
  const family = sliceFamily(slice);
  if (family === undefined) return { record: undefined, problems: slice.problems };
  const metadata = slice.at('metadata');
  const namespace = metadata.at('namespace').required(dnsLabel);
  const name = metadata.at('name').required(dnsSubdomain);
  const service = metadata.at('labels').entry('kubernetes.io/service-name').required(dnsLabel);
  if (namespace === undefined || name === undefined || service === undefined)
    return { record: undefined, problems: slice.problems };
  const record: EndpointSliceRecord = {
    namespace,
    name,
    service: serviceKeyOf({ namespace, name: service }),
    family,
    ports: compact(slice.at('ports').items().flatMap(slicePort)),
    endpoints: compact(
      slice
        .at('endpoints')
        .items()
        .flatMap((endpoint) => endpointRecord(endpoint, family)),
    ),
    lastChangeTriggerTime: triggerTime(metadata),
  };
  return { record, problems: slice.problems };
}

const families: Readonly<Record<string, IPFamily>> = { IPv4: 'ipv4', IPv6: 'ipv6' };

/** undefined for slices that are not for this proxy. */
function sliceFamily(slice: Fields): IPFamily | undefined {
  const labels = slice.at('metadata').at('labels');
  const foreign = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'].some(
    (label) => !labels.entry(label).isAbsent(),
  );
  if (foreign || labels.entry('kubernetes.io/service-name').isAbsent()) return undefined;
  return ownValue(families, slice.at('addressType').required(oneOf('IPv4', 'IPv6', 'FQDN')));
}

/**
 * A port without a name is not for Services; one without a number means "all ports", which no Service port can ask for.
 */
function slicePort(port: Fields): EndpointSliceRecord['ports'] {
  if (port.at('name').isAbsent() || port.at('port').isAbsent()) return [];
  const name = port.at('name').optional(portName);
  const number = port.at('port').optional(portNumber);
  const transport = port.at('protocol').isAbsent() ? 'TCP' : port.at('protocol').optional(protocol);
  return name === undefined || number === undefined || transport === undefined
    ? []
    : [{ name, protocol: transport, port: number }];
}

function endpointRecord(endpoint: Fields, family: IPFamily): readonly EndpointRecord[] {
  const address = endpointAddress(endpoint, family);
  if (address === undefined) return [];
  const conditions = endpoint.at('conditions');
  const hints = endpoint.at('hints');
  return [
    {
      address,
      ready: conditions.at('ready').optional(flag) ?? true,
      serving: conditions.at('serving').optional(flag) ?? true,
      terminating: conditions.at('terminating').optional(flag) ?? false,
      nodeName: endpoint.at('nodeName').optional(plainText) ?? '',
      nodeHints: hintNames(hints.at('forNodes')),
      zoneHints: hintNames(hints.at('forZones')),
    },
  ];
}

/** The first of the addresses: the others are the same endpoint's, and no consumer reads them (KEP-752). */
function endpointAddress(endpoint: Fields, family: IPFamily): string | undefined {
  const [first] = endpoint.at('addresses').items();
  const address = first?.required(ipAddress);
  if (first === undefined || address === undefined) return undefined;
  if (familyOf(address) !== family)
    first.reject(`is ${address}, which is not of the slice's address type`, `an ${family} address`);
  else if (isEndpointAddress(address)) return address;
  else
    first.reject(
      `is ${address}, which no Service may lead to (CVE-2021-25737)`,
      'an address that is not loopback, link-local or multicast',
    );
  return undefined;
}

function hintNames(list: Fields): readonly string[] {
  const names = list.items().flatMap((hint) => hint.at('name').required(plainText) ?? []);
  return compact(names);
}

function triggerTime(metadata: Fields): number | undefined {
  const text = metadata.at('annotations').entry('endpoints.kubernetes.io/last-change-trigger-time').optional(plainText);
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
