/**
 * @module What the API server fills in, of which rules depend, where the decoders of agents rely on its having done so:
 * they read objects that it stored, and `proxyconfig render` reads what people wrote.
 */
import { isRecord } from '../../api/isRecord.ts';
import { ownValue } from '../../api/ownValue.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The Service as the API server would store it; what is empty counts as left out (pkg/apis/core/v1/defaults.go). */
export function withServiceDefaults(service: Fields): Fields {
  return within(service, 'spec', (spec) => ({
    ...spec,
    ...defaults(spec, { type: 'ClusterIP', sessionAffinity: 'None' }),
    ...(spec['externalTrafficPolicy'] === '' && { externalTrafficPolicy: undefined }),
    ports: each(spec['ports'], (port) => ({ ...port, ...defaults(port, { protocol: 'TCP' }) })),
  }));
}

/**
 * The EndpointSlice as the API server would store it: a port without a name is the unnamed port of its Service, which a
 * slice of the agent's own list never leaves out (pkg/apis/discovery/v1/defaults.go).
 */
export function withEndpointSliceDefaults(slice: Fields): Fields {
  return {
    ...slice,
    ports: each(slice['ports'], (port) => ({
      ...port,
      name: port['name'] ?? '',
      protocol: port['protocol'] ?? 'TCP',
    })),
  };
}

/** The Node as the API server would store it: podCIDR is the first of podCIDRs (pkg/apis/core/v1/conversion.go). */
export function withNodeDefaults(node: Fields): Fields {
  return within(node, 'spec', (spec) => {
    const { podCIDR = '', podCIDRs } = spec;
    const [first] = Array.isArray(podCIDRs) ? (podCIDRs as unknown[]) : [];
    return podCIDR === '' || podCIDR === null || podCIDR === first ? omitEmpty(spec) : { ...spec, podCIDRs: [podCIDR] };
  });
}

function omitEmpty({ podCIDR, ...spec }: Fields): Fields {
  return podCIDR === '' ? spec : { ...spec, podCIDR };
}

/** Of these fields those that the object leaves empty. */
function defaults(object: Fields, values: Fields): Fields {
  return Object.fromEntries(Object.entries(values).filter(([name]) => (ownValue(object, name) ?? '') === ''));
}

/** The object with a field changed that is an object itself; what is none is left for the decoder to report. */
function within(object: Fields, name: string, change: (field: Fields) => Fields): Fields {
  const field = ownValue(object, name);
  return isRecord(field) ? { ...object, [name]: change(field) } : object;
}

/** As `within`, for each object of a list. */
function each(list: unknown, change: (item: Fields) => Fields): unknown {
  return Array.isArray(list) ? list.map((item: unknown) => (isRecord(item) ? change(item) : item)) : list;
}
