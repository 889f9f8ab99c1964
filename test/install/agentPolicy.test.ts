/**
 * What an agent may write: the status of its own node's NodeProxy and nothing else. Real tokens, a real API server, its
 * own words.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { KubeClient, SendOptions } from '../../src/kube/client.ts';
import { waitFor } from '../support/waitFor.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { describeWhere } from '../support/requirements.ts';
import { clientFor } from './account.ts';

type Method = 'POST' | 'PUT' | 'PATCH' | 'DELETE';
interface Request {
  readonly method: Method;
  /** Under the path of all NodeProxies. */
  readonly path: string;
  readonly body?: object;
  readonly contentType?: string;
}
type Token = (typeof tokens)[number]['name'];

const path = '/apis/proxyconfig.dev/v1alpha1/nodeproxies';
const pods = '/api/v1/namespaces/proxyconfig-system/pods';
const mergePatch = 'application/merge-patch+json';
const identity = { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy' };
const status = { observedGeneration: 1, state: 'Ready', mode: 'iptables' };
const spec = { configRef: { name: 'other', uid: 'u', generation: 1 }, revision: 'r-2', config: { mode: 'iptables' } };

const tokens = [
  { name: "node-1's agent", account: 'agent', boundTo: { kind: 'Pod', name: 'agent-on-node-1' } },
  { name: 'an agent by a token of its node', account: 'agent', boundTo: { kind: 'Node', name: 'node-1' } },
  { name: 'an agent whose Pod has no node', account: 'agent', boundTo: { kind: 'Pod', name: 'agent-without-node' } },
  { name: 'an unbound token', account: 'agent', boundTo: undefined },
  { name: 'the operator', account: 'operator', boundTo: undefined },
] as const;

const statusOf = (node: string): Request => ({
  method: 'PATCH',
  path: `/${node}/status`,
  body: { status },
  contentType: mergePatch,
});
const notBound = 'agent requests must use a node-bound service account token';
const statusOnly = 'agents may only write the status subresource';
const notYours = (node: string): string => `the agent on node node-1 may only write NodeProxy node-1, not ${node}`;

describeWhere(['cluster'], 'an agent', () => {
  let cluster: ClusterFixture;
  const clients = new Map<Token, KubeClient>();

  beforeAll(async () => {
    cluster = await ClusterFixture.start({ install: '.' });
    for (const node of ['node-1', 'node-2']) {
      await cluster.client.send('POST', '/api/v1/nodes', {
        body: { apiVersion: 'v1', kind: 'Node', metadata: { name: node } },
      });
      await cluster.client.send('POST', path, {
        body: { ...identity, metadata: { name: node, labels: { kept: 'yes' } }, spec: { ...spec, revision: 'r-1' } },
      });
    }
    await addAgentPod('agent-on-node-1', 'node-1');
    await addAgentPod('agent-without-node');
    for (const { name, account, boundTo } of tokens) clients.set(name, await clientFor(cluster, account, boundTo));
    // The API server learns of a new policy a moment after it took it.
    await waitFor(
      'the policy is in force',
      async () =>
        refusal(() => write('an unbound token', statusOf('node-1'), { dryRun: 'All' })).then(
          (words) => words !== undefined,
        ),
      { timeoutMs: 20_000 },
    );
  }, 120_000);
  afterAll(async () => {
    await Promise.all([...clients.values()].map((client) => client.close()));
    await cluster?.stop();
  });

  async function addAgentPod(name: string, nodeName?: string): Promise<void> {
    const pod = {
      serviceAccountName: 'agent',
      containers: [{ name: 'agent', image: 'agent' }],
      ...(nodeName === undefined ? {} : { nodeName }),
    };
    await cluster.client.send('POST', pods, { body: { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: pod } });
  }

  function write(
    token: Token,
    { method, path: below, body, contentType }: Request,
    query: SendOptions['query'] = {},
  ): Promise<unknown> {
    const client = clients.get(token);
    if (!client) throw new Error(`there is no token of ${token}`);
    return client.send(method, path + below, { body, query, ...(contentType === undefined ? {} : { contentType }) });
  }

  const nodeProxy = (node: string): Promise<NodeProxy> => cluster.client.get(`${path}/${node}`);

  describe('may', () => {
    test.each([
      { name: 'patch the status of its own', token: "node-1's agent", request: statusOf('node-1') },
      {
        name: 'apply it server-side, as it does',
        token: "node-1's agent",
        request: {
          method: 'PATCH',
          path: '/node-1/status',
          contentType: 'application/apply-patch+yaml',
          body: { ...identity, metadata: { name: 'node-1' }, status },
        },
      },
      {
        name: 'do so with a token that is bound to the node',
        token: 'an agent by a token of its node',
        request: statusOf('node-1'),
      },
    ] as const)('$name', async ({ token, request }) => {
      const query = request.contentType === mergePatch ? {} : { fieldManager: 'proxyconfig-agent', force: true };
      await write(token, request, query);
      expect((await nodeProxy('node-1')).status).toMatchObject(status);
    });

    test.each(['/api/v1/services', '/api/v1/nodes', '/apis/discovery.k8s.io/v1/endpointslices', path])(
      'read %s',
      async (what) => {
        await clients.get("node-1's agent")?.get(what);
      },
    );
  });

  describe('may not', () => {
    test.each([
      {
        name: "write another node's status",
        token: "node-1's agent",
        request: statusOf('node-2'),
        words: notYours('node-2'),
      },
      {
        name: 'write any status without a token that names its node',
        token: 'an unbound token',
        request: statusOf('node-1'),
        words: notBound,
      },
      {
        name: 'write any status from a Pod that is on no node',
        token: 'an agent whose Pod has no node',
        request: statusOf('node-1'),
        words: notBound,
      },
      {
        name: 'replace its status as a whole',
        token: "node-1's agent",
        request: {
          method: 'PUT',
          path: '/node-1/status',
          body: { ...identity, metadata: { name: 'node-1' }, spec, status },
        },
        words: 'cannot update resource "nodeproxies/status"',
      },
      {
        name: 'write its own spec',
        token: "node-1's agent",
        request: { method: 'PATCH', path: '/node-1', body: { spec }, contentType: mergePatch },
        words: 'cannot patch resource "nodeproxies"',
      },
      {
        name: 'make a NodeProxy',
        token: "node-1's agent",
        request: { method: 'POST', path: '', body: { ...identity, metadata: { name: 'node-9' }, spec } },
        words: 'cannot create resource "nodeproxies"',
      },
      {
        name: 'delete its own',
        token: "node-1's agent",
        request: { method: 'DELETE', path: '/node-1' },
        words: 'cannot delete resource "nodeproxies"',
      },
      {
        name: 'have its status written by the operator',
        token: 'the operator',
        request: statusOf('node-1'),
        words: 'cannot patch resource "nodeproxies/status"',
      },
    ] as const)('$name', async ({ token, request, words }) => {
      await expect(write(token, request)).rejects.toMatchObject({
        status: 403,
        message: expect.stringContaining(words) as unknown,
      });
    });

    test('write events', async () => {
      const event = { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'of-an-agent' } };
      await expect(
        clients
          .get("node-1's agent")
          ?.send('POST', '/apis/events.k8s.io/v1/namespaces/default/events', { body: event }),
      ).rejects.toMatchObject({ status: 403 });
    });

    test('bring another spec or label in with its status', async () => {
      await write("node-1's agent", {
        method: 'PATCH',
        path: '/node-1/status',
        contentType: mergePatch,
        body: { metadata: { labels: { kept: null } }, spec, status },
      });
      expect(await nodeProxy('node-1')).toMatchObject({
        metadata: { labels: { kept: 'yes' } },
        spec: { revision: 'r-1' },
      });
    });
  });

  // RBAC that somebody has widened by mistake: the policy still holds.
  describe('with every right that RBAC can give, may not', () => {
    beforeAll(async () => {
      await cluster.kubectl([
        'create',
        'clusterrolebinding',
        'too-much',
        '--clusterrole=cluster-admin',
        '--serviceaccount=proxyconfig-system:agent',
      ]);
      await waitFor(
        'the role is in force',
        async () => (await refusal(() => clients.get("node-1's agent")?.get('/api/v1/secrets'))) === undefined,
        { timeoutMs: 20_000 },
      );
    }, 30_000);

    test.each([
      {
        name: 'write its own spec',
        request: { method: 'PATCH', path: '/node-1', body: { spec }, contentType: mergePatch },
        words: statusOnly,
      },
      {
        name: 'write its own labels',
        request: {
          method: 'PATCH',
          path: '/node-1',
          body: { metadata: { labels: { a: 'b' } } },
          contentType: mergePatch,
        },
        words: statusOnly,
      },
      { name: 'delete its own', request: { method: 'DELETE', path: '/node-1' }, words: statusOnly },
      { name: "write another node's status", request: statusOf('node-2'), words: notYours('node-2') },
      { name: "delete another node's", request: { method: 'DELETE', path: '/node-2' }, words: notYours('node-2') },
      { name: 'delete all of them', request: { method: 'DELETE', path: '' }, words: notYours('all of them') },
      {
        name: 'make another',
        request: { method: 'POST', path: '', body: { ...identity, metadata: { name: 'node-9' }, spec } },
        words: notYours('node-9'),
      },
    ] as const)('$name', async ({ request, words }) => {
      await expect(write("node-1's agent", request)).rejects.toMatchObject({
        status: 403,
        message: expect.stringContaining(words) as unknown,
      });
    });
  });
});

/** The API server's words, or undefined when it does what it is asked. */
async function refusal(action: () => Promise<unknown> | undefined): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
