/** What a sync leaves in the kernel, of ours and of others. */
import assert from 'node:assert/strict';
import { createBackend } from '../../../../src/backend/registry.ts';
import { renderIpvs } from '../../../../src/backend/ipvs/plan/render.ts';
import { ipFamilies } from '../../../../src/model/ipFamily.ts';
import { stateOf } from '../../../support/serviceManifests.ts';
import type { Check } from './node.ts';
import { ipvsState, leftovers, nodeWith, signal, syncAll, virtualServers, web } from './node.ts';

export const syncChecks: readonly Check[] = [
  {
    name: 'virtual servers look as the documents show them',
    run: async (node) => {
      await node.tool('sh', ['-ec', 'ip link add eth0 type dummy; ip addr add 192.168.0.10/24 dev eth0']);
      await syncAll(node, [
        web(1, { spec: { type: 'NodePort', sessionAffinity: 'ClientIP' }, ports: [{ port: 80, nodePort: 30_080 }] }),
        web(2, { pods: ['podB'] }),
      ]);
      assert.deepEqual(virtualServers(await node.tool('ipvsadm', ['-Ln'])), {
        'TCP 10.96.0.1:80 rr persistent 10800': ['10.244.1.2:8080 Masq 1 0 0', '10.244.2.5:8080 Masq 1 0 0'],
        'TCP 192.168.0.10:30080 rr persistent 10800': ['10.244.1.2:8080 Masq 1 0 0', '10.244.2.5:8080 Masq 1 0 0'],
        'TCP 10.96.0.2:80 rr': ['10.244.1.3:8080 Masq 1 0 0'],
      });
      assert.match(
        await node.tool('ip', ['addr', 'show', 'kube-ipvs0']),
        /inet 10\.96\.0\.1\/32 scope global kube-ipvs0/,
      );
    },
  },
  {
    name: 'changes and a start without memory leave the same, and a start changes nothing',
    run: async (node) => {
      await syncAll(node, [web(1), web(2)]);
      const state = ipvsState([web(1, { pods: ['podA', 'podB'] }), web(3)]);
      const changed = await node.backend.sync({
        state,
        changed: new Set(['default/web-1', 'default/web-2', 'default/web-3']),
        signal,
      });
      assert.equal(await node.backend.findDrift(signal), undefined);
      const before = (await node.tool('ipset', ['save', '-sorted'])) + (await node.tool('ipvsadm', ['-Sn']));
      const restarted = await nodeWith(node.run).backend.sync({ state, changed: 'all', signal });
      assert.equal(restarted.rulesHash, changed.rulesHash);
      assert.equal((await node.tool('ipset', ['save', '-sorted'])) + (await node.tool('ipvsadm', ['-Sn'])), before);
    },
  },
  {
    name: 'virtual servers of others stay in excludeCIDRs, and those by mark everywhere',
    run: async (node) => {
      await node.tool(
        'ipvsadm',
        ['-R'],
        '-A -t 203.0.113.200:80 -s lc\n-a -t 203.0.113.200:80 -r 10.0.0.1:80 -g -w 5\n-A -u 198.51.100.200:53 -s rr\n-A -f 7 -s rr\n',
      );
      await syncAll(node, [], { ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: ['203.0.113.0/24'] } });
      const left = (await node.tool('ipvsadm', ['-Sn'])).trim().split('\n').sort();
      assert.deepEqual(left, [
        '-A -f 7 -s rr',
        '-A -t 203.0.113.200:80 -s lc',
        '-a -t 203.0.113.200:80 -r 10.0.0.1:80 -g -w 5',
      ]);
    },
  },
  {
    name: 'a set that is full is replaced by a larger one while rules ask it',
    run: async (node) => {
      await syncAll(node, [web(1)]);
      await node.tool(
        'ipset',
        ['restore'],
        'create SMALL hash:ip,port family inet maxelem 2\nadd SMALL 10.96.0.1,tcp:80\nswap SMALL KUBE-CLUSTER-IP\ndestroy SMALL\n',
      );
      await syncAll(node, [web(1), web(2), web(3)]);
      const saved = await node.tool('ipset', ['save', 'KUBE-CLUSTER-IP']);
      assert.match(saved, /maxelem 4 /);
      assert.equal(saved.match(/^add/gm)?.length, 3);
    },
  },
  {
    name: 'the kernel is set as ipvs needs it, and strictARP as asked',
    run: async (node) => {
      await syncAll(node, [], { ipvs: { scheduler: 'rr', strictARP: true, tcpTimeoutSeconds: 800 } });
      const names = [
        'vs/conntrack',
        'vs/expire_nodest_conn',
        'vs/expire_quiescent_template',
        'ip_forward',
        'conf/all/arp_ignore',
        'conf/all/arp_announce',
      ];
      assert.equal(
        await node.tool(
          'cat',
          names.map((name) => `/proc/sys/net/ipv4/${name}`),
        ),
        '1\n1\n1\n1\n1\n2\n',
      );
      assert.match(await node.tool('ipvsadm', ['-Ln', '--timeout']), /: 800 120 300/);
    },
  },
  {
    name: 'what is rendered loads as it is, in both families',
    run: async (node) => {
      const services = [web(1, { ports: [{ port: 80, nodePort: 30_080 }], spec: { type: 'NodePort' } })];
      for (const { tool, args, input } of renderIpvs(
        ...ipFamilies.map((family) => stateOf(family, services, { mode: 'ipvs' })),
      ))
        await node.tool(tool, args, input);
      assert.equal((await node.tool('ipvsadm', ['-Sn'])).match(/^-A/gm)?.length, 4);
      assert.match(await node.tool('ip6tables-save', []), /--match-set KUBE-6-CLUSTER-IP dst,dst/);
      const device = await node.tool('ip', ['addr', 'show', 'kube-ipvs0']);
      assert.match(device, /inet 10\.96\.0\.1\/32 .*inet6 fd00:10:96::1\/128 /s);
    },
  },
  {
    name: 'clean-up leaves nothing of ours and all of others',
    run: async (node) => {
      await syncAll(node, [web(1, { ports: [{ port: 80, nodePort: 30_080 }], spec: { type: 'NodePort' } })]);
      await node.tool('ipvsadm', ['-A', '-t', '203.0.113.200:80', '-s', 'lc']);
      const before = await leftovers(node);
      const named = await node.backend.cleanup({ isDryRun: true });
      assert.equal(await leftovers(node), before);
      assert.ok(named.includes('address 10.96.0.1 of kube-ipvs0'));
      const removed = await node.backend.cleanup();
      assert.deepEqual(
        named.filter((name) => !removed.includes(name)),
        [],
      );
      assert.equal(await leftovers(node), '-A -t 203.0.113.200:80 -s lc');
      assert.deepEqual(await node.backend.cleanup(), []);
    },
  },
  {
    name: 'clean-up of one family leaves the other as it serves',
    run: async (node) => {
      await syncAll(node, [web(1)]);
      const serving = await leftovers(node);
      const six = createBackend('ipvs', 'ipv6', { run: node.run });
      await six.sync({ state: stateOf('ipv6', [web(1)], { mode: 'ipvs' }), changed: 'all', signal });
      assert.notDeepEqual(await six.cleanup(), []);
      assert.equal(await leftovers(node), serving);
      assert.match(await node.tool('ip', ['addr', 'show', 'kube-ipvs0']), /inet 10\.96\.0\.1\/32/);
    },
  },
];
