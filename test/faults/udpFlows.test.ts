/**
 * A client that keeps its UDP socket, as a resolver does, while the Service behind it changes: an agent as a process of
 * its own, the real API server, real packets, real rules, real conntrack.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AgentNode, type AgentProcess } from '../agent/agentNode.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { ipFamilies, type IPFamily } from '../../src/model/ipFamily.ts';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { addresses, type Answer, createNetwork, type Network } from '../support/network.ts';
import {
  clusterIP,
  nodeObject,
  type ServiceManifest,
  serviceObject,
  sliceObjects,
  stateOf,
} from '../support/serviceManifests.ts';

const ip = clusterIP(10);
const nodePort = 30_053;
type Pods = NonNullable<ServiceManifest['pods']>;
const dualStack = { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] };
const dns = (...pods: Pods): ServiceManifest => ({
  name: 'dns',
  clusterIP: ip,
  ports: [{ name: 'dns', port: 53, protocol: 'UDP', nodePort }],
  spec: { type: 'NodePort', ...dualStack },
  pods,
});
/** A Service that changes after DNS does. */
const later = (...pods: Pods): ServiceManifest => ({
  name: 'later',
  clusterIP: clusterIP(11),
  ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
  spec: dualStack,
  pods,
});
/** Three times the promised second. */
const timeoutMs = 3000;

function isFrom(answer: Answer, pod: string): boolean {
  return typeof answer === 'object' && 'by' in answer && answer.by === pod;
}

function printLine(what: string): void {
  process.stdout.write(`${what}\n`);
}

describeWhere(['root', 'cluster', 'iptables'], 'UDP socket that stays open', () => {
  let network: Network;
  const ask = (family: IPFamily): Promise<Answer> =>
    network.ask('podA', { protocol: 'UDP', address: ip[family], port: 53, sourcePort: 4053, timeoutMs: 200 });
  const askLater = (family: IPFamily): Promise<Answer> =>
    network.ask('podA', {
      protocol: 'UDP',
      address: clusterIP(11)[family],
      port: 53,
      sourcePort: 4055,
      timeoutMs: 200,
    });
  const atNodePort = (family: IPFamily): Promise<Answer> =>
    network.ask('client', {
      protocol: 'UDP',
      address: addresses.node[family],
      port: nodePort,
      sourcePort: 4054,
      timeoutMs: 200,
    });
  const untilSilent = (): Promise<unknown> =>
    Promise.all(
      ipFamilies.map((family) =>
        until(`there is no answer over ${family}`, async () => typeof (await ask(family)) === 'string', timeoutMs),
      ),
    );

  describe('on a node that ends no stale flows', () => {
    beforeAll(async () => {
      network = await createNetwork();
    }, 60_000);
    afterAll(() => network?.close());

    test.each(ipFamilies)(
      'goes on to an endpoint that is gone, which is what the agent must prevent (%s)',
      async (family) => {
        const backend = createBackend('iptables', family, { run: network.runOnNode });
        const sync = (manifest: ServiceManifest): Promise<unknown> =>
          backend.sync({
            state: stateOf(family, [manifest]),
            changed: new Set(['default/dns']),
            signal: new AbortController().signal,
          });
        await sync(dns('podB'));
        expect(await ask(family)).toMatchObject({ by: 'podB' });
        await sync(dns('podC'));
        expect(await ask(family)).toMatchObject({ by: 'podB' });
      },
    );
  });

  // The tests follow on one another, with one socket.
  describe('on a node with an agent', () => {
    let host: AgentNode;
    let agent: AgentProcess;
    beforeAll(async () => {
      network = await createNetwork();
      host = await AgentNode.start({ pid: network.nodePid });
      for (const write of [['create'], ['replace', '--subresource=status']])
        await host.kubectl([...write, '-f', '-'], [nodeObject]);
      await host.apply(serviceObject(dns()));
      agent = host.startAgent();
    }, 120_000);
    afterAll(async () => {
      await host?.stop();
      await network?.close();
    }, 30_000);

    const serveBy = (...pods: Pods): Promise<string> => host.apply(...sliceObjects(dns(...pods)));
    /** Resolves to how long it took from when the API server had the change. */
    async function untilAnswered(by: string, question = ask): Promise<string> {
      const started = performance.now();
      const took = await Promise.all(
        ipFamilies.map(async (family) => {
          await until(`${by} answers over ${family}`, async () => isFrom(await question(family), by), timeoutMs);
          return `${Math.round(performance.now() - started)} ms (${family})`;
        }),
      ).catch((error: unknown) => {
        throw new Error(agent.log().slice(-3000), { cause: error });
      });
      return took.join(', ');
    }

    test('reaches the first endpoint', async () => {
      await serveBy('podB');
      await until(
        'the agent serves',
        async () => isFrom(await ask('ipv4'), 'podB') && isFrom(await ask('ipv6'), 'podB'),
        30_000,
      );
    }, 60_000);

    test('reaches the endpoint that takes the place of another, within a second', async () => {
      await serveBy('podC');
      printLine(`a replaced DNS endpoint was reached after ${await untilAnswered('podC')}`);
    });

    test('stays with its endpoint while that drains', async () => {
      await host.apply(serviceObject(later()), ...sliceObjects(later('podB')));
      await untilAnswered('podB', askLater);
      await host.apply(
        ...sliceObjects(dns({ pod: 'podC', conditions: { ready: false, serving: true, terminating: true } }, 'podB')),
        ...sliceObjects(later('podC')),
      );
      // When these flows have been ended, those of DNS have been checked.
      await untilAnswered('podC', askLater);
      for (const family of ipFamilies) expect(await ask(family)).toMatchObject({ by: 'podC' });
    });

    test('is refused when the last endpoint is gone, and served again when one comes', async () => {
      await serveBy();
      await untilSilent();
      await serveBy('podB');
      printLine(`the first DNS endpoint after none was reached after ${await untilAnswered('podB')}`);
    });

    test('follows from outside at a NodePort as well', async () => {
      await untilAnswered('podB', atNodePort);
      await serveBy('podC');
      await untilAnswered('podC', atNodePort);
    });

    test('is not answered when the Service is deleted', async () => {
      await untilAnswered('podC');
      await host.kubectl(['delete', 'service', 'dns', '--wait=false']);
      await untilSilent();
    });

    test('is counted in the metric of deleted entries when its flow is ended', async () => {
      const { body } = await host.get(10_249, '/metrics');
      for (const family of ['IPv4', 'IPv6'])
        expect(
          Number(new RegExp(`deleted_entries_total\\{ip_family="${family}"\\} (\\d+)`).exec(body)?.[1]),
        ).toBeGreaterThanOrEqual(4);
    });
  });
});
