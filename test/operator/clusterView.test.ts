import { describe, expect, test } from '@jest/globals';
import {
  agentLabels,
  decodeAgentPod,
  decodeNode,
  decodeNodeProxy,
  decodeProxyConfig,
} from '../../src/operator/watch/clusterView.ts';
import { proxyConfig } from './objects.ts';

const ready = { conditions: [{ type: 'Ready', status: 'True' }] };

describe('decodeAgentPod', () => {
  test.each([
    {
      name: 'ready',
      pod: { metadata: { labels: agentLabels }, spec: { nodeName: 'a' }, status: ready },
      agent: { node: 'a', ready: true },
    },
    {
      name: 'not ready',
      pod: {
        metadata: { labels: agentLabels },
        spec: { nodeName: 'a' },
        status: { conditions: [{ type: 'Ready', status: 'False' }] },
      },
      agent: { node: 'a', ready: false },
    },
    {
      name: 'not scheduled yet, on the node that its DaemonSet made it for',
      pod: {
        metadata: { labels: agentLabels },
        spec: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [
                  { matchExpressions: [{ key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] }] },
                  { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] },
                ],
              },
            },
          },
        },
        status: { conditions: [{ type: 'PodScheduled', status: 'False' }] },
      },
      agent: { node: 'a', ready: false },
    },
    {
      name: 'without a status',
      pod: { metadata: { labels: agentLabels }, spec: { nodeName: 'a' } },
      agent: { node: 'a', ready: false },
    },
    {
      name: 'on its way out',
      pod: {
        metadata: { labels: agentLabels, deletionTimestamp: '2026-01-01T00:00:00Z' },
        spec: { nodeName: 'a' },
        status: ready,
      },
      agent: { node: 'a', ready: false },
    },
    { name: 'on no node yet', pod: { metadata: { labels: agentLabels }, spec: {} }, agent: undefined },
    {
      name: "the operator's own",
      pod: {
        metadata: { labels: { ...agentLabels, 'app.kubernetes.io/component': 'operator' } },
        spec: { nodeName: 'a' },
        status: ready,
      },
      agent: undefined,
    },
    { name: 'without labels', pod: { metadata: {}, spec: { nodeName: 'a' }, status: ready }, agent: undefined },
  ])('$name', ({ pod, agent }) => {
    expect(decodeAgentPod(pod)).toEqual(agent);
  });
});

describe('decodeNode', () => {
  test.each([
    { name: 'by its label', labels: { 'kubernetes.io/os': 'windows' }, nodeInfo: undefined, system: 'windows' },
    {
      name: 'by what the kubelet reports, where the label was taken away',
      labels: {},
      nodeInfo: { operatingSystem: 'windows' },
      system: 'windows',
    },
    { name: 'unknown on a node that only an object describes', labels: {}, nodeInfo: undefined, system: undefined },
  ])('$name', ({ labels, nodeInfo, system }) => {
    expect(
      decodeNode({ metadata: { name: 'a', uid: 'u', labels }, status: { nodeInfo } }).labels['kubernetes.io/os'],
    ).toBe(system);
  });
});

describe('decodeProxyConfig and decodeNodeProxy', () => {
  test('managedFields and annotations are not kept', () => {
    const config = proxyConfig('all');
    const heavy = {
      ...config,
      metadata: {
        ...config.metadata,
        managedFields: ['much'],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'much' },
      },
    };
    expect(decodeProxyConfig(heavy)).toEqual(config);
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'u' }];
    expect(decodeNodeProxy({ ...heavy, metadata: { ...heavy.metadata, ownerReferences } })).toEqual({
      ...config,
      metadata: { ...config.metadata, ownerReferences },
    });
  });
});
