/**
 * What becomes of a Service when its type changes, and Services that this project does not serve.
 */
import { addresses } from '../support/network.ts';
import { allowedExternalIPs, externalIP, nodePort, single, withExternalIP } from './manifests.ts';
import { clusterIP, loadBalancerIP } from '../support/serviceManifests.ts';
import type { Scenario } from './scenario.ts';
import { dropped, everywhere, fromEach, kept, masqueraded, refused } from './scenario.ts';

const noOwnAddress = { clusterIP: undefined, clusterIPs: undefined };

export const typeTable: readonly Scenario[] = [
  {
    name: 'a change of type: LoadBalancer',
    item: 'change of type',
    objects: [
      single('changing', 112, {
        ports: nodePort(30_113),
        loadBalancerIP: loadBalancerIP(112),
        spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
      }),
    ],
    rows: fromEach(
      { name: 'its address keeps addresses', to: loadBalancerIP(112), protocol: 'TCP' },
      { ...everywhere(kept('podA')), 'this node': masqueraded('podA') },
    ),
  },
  {
    name: 'a change of type: ExternalName',
    item: 'change of type',
    objects: [
      single('changing', 112, { spec: { type: 'ExternalName', externalName: 'example.com', ...noOwnAddress } }),
    ],
    rows: fromEach({ name: 'the cluster IP is gone', to: clusterIP(112), protocol: 'TCP' }, everywhere(dropped)),
  },
  {
    name: 'a change of type: NodePort',
    item: 'change of type',
    objects: [single('changing', 112, { ports: nodePort(30_112), spec: { type: 'NodePort' } })],
    rows: fromEach(
      { name: 'NodePort', to: addresses.node, port: 30_112, protocol: 'TCP' },
      everywhere(masqueraded('podA')),
    ),
  },
  {
    name: 'a change of type: ClusterIP',
    item: 'change of type',
    objects: [single('changing', 112)],
    rows: [
      ...fromEach(
        { name: 'the NodePort is gone', to: addresses.node, port: 30_112, protocol: 'TCP' },
        everywhere(refused),
      ),
      {
        name: 'the cluster IP goes on',
        from: 'podB',
        to: clusterIP(112),
        protocol: 'TCP',
        expect: { by: 'podA', seenFrom: addresses.podB },
      },
    ],
  },
  {
    name: 'Services that no proxy serves',
    item: 'headless and ExternalName',
    objects: [
      single('headless', 113, withExternalIP(113, { clusterIP: 'None', clusterIPs: ['None'] })),
      single(
        'elsewhere',
        114,
        withExternalIP(114, { type: 'ExternalName', externalName: 'example.com', ...noOwnAddress }),
      ),
    ],
    config: allowedExternalIPs,
    rows: [
      ...fromEach({ name: 'headless', to: externalIP(113), protocol: 'TCP' }, everywhere(dropped)),
      ...fromEach({ name: 'ExternalName', to: externalIP(114), protocol: 'TCP' }, everywhere(dropped)),
    ],
  },
  {
    name: 'a Service of another proxy',
    item: 'service-proxy-name',
    objects: [
      single('foreign', 115, {
        labels: { 'service.kubernetes.io/service-proxy-name': 'another' },
        ports: nodePort(30_115),
        spec: { type: 'NodePort' },
      }),
    ],
    rows: [
      ...fromEach({ name: 'left alone', to: clusterIP(115), protocol: 'TCP' }, everywhere(dropped)),
      {
        name: 'its NodePort too',
        from: 'client',
        to: addresses.node,
        port: 30_115,
        protocol: 'TCP',
        expect: 'REFUSED',
      },
    ],
  },
];
