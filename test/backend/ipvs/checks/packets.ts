/** Whom packets reach. */
import assert from 'node:assert/strict';
import { createBackend } from '../../../../src/backend/registry.ts';
import { ipFamilies } from '../../../../src/model/ipFamily.ts';
import type { Network } from '../../../support/network.ts';
import { clusterIP, stateOf } from '../../../support/serviceManifests.ts';
import type { Check } from './node.ts';
import { ipvsState, nodeWith, signal, syncAll, web } from './node.ts';

export const packetChecks: readonly Check[] = [
  {
    name: 'round robin is exact: of n endpoints, each gets one in n connections',
    run: async (_node, network) => {
      const pods = await network();
      const some = [web(2, { pods: ['podA', 'podB'] }), web(3, { pods: ['podA', 'podB', 'remotePod'] })];
      for (const family of ipFamilies) {
        const state = stateOf(family, some, { mode: 'ipvs' });
        await createBackend('ipvs', family, { run: pods.runOnNode }).sync({ state, changed: 'all', signal });
        const countAt = (index: number, connections: number): ReturnType<Network['count']> =>
          pods.count(
            'podC',
            { protocol: 'TCP', address: clusterIP(index)[family], port: 80, timeoutMs: 10_000 },
            connections,
          );
        assert.deepEqual(await countAt(2, 2 * 25), { podA: 25, podB: 25 });
        assert.deepEqual(await countAt(3, 3 * 25), { podA: 25, podB: 25, remotePod: 25 });
      }
    },
  },
  {
    name: "a Service's address opens no port of the node, and connections keep a real server that drains",
    run: async (_node, network) => {
      const pods = await network();
      const node = nodeWith(pods.runOnNode);
      await syncAll(node, [web(1, { pods: ['podA'] })]);
      const askAt = (port: number): ReturnType<Network['ask']> =>
        pods.ask('podB', { protocol: 'TCP', address: clusterIP(1).ipv4, port, timeoutMs: 5000 });
      assert.equal(await askAt(8080), 'REFUSED');
      assert.deepEqual(await askAt(80), { by: 'podA', seenFrom: '10.244.1.3' });
      await node.backend.sync({
        state: ipvsState([web(1, { pods: ['podC'] })]),
        changed: new Set(['default/web-1']),
        signal,
      });
      assert.equal(await node.backend.findDrift(signal), undefined);
      assert.match(await node.tool('ipvsadm', ['-Ln']), /-> 10\.244\.1\.2:8080 +Masq +0 +0 +1/);
      assert.deepEqual(await askAt(80), { by: 'podC', seenFrom: '10.244.1.3' });
    },
  },
];
