/** What the periodic check sees, and what it finishes. */
import assert from 'node:assert/strict';
import type { RunCommand } from '../../../../src/system/command.ts';
import type { Check } from './node.ts';
import { ipvsState, nodeWith, signal, syncAll, web } from './node.ts';

export const driftChecks: readonly Check[] = [
  {
    name: 'a real server without connections goes with the next check, the address of a deleted Service too',
    run: async (node) => {
      await syncAll(node, [web(1), web(2)]);
      await node.backend.sync({
        state: ipvsState([web(1, { pods: ['podA'] })]),
        changed: new Set(['default/web-1', 'default/web-2']),
        signal,
      });
      const drainingNow = await node.tool('ipvsadm', ['-Sn']);
      assert.match(drainingNow, /-a -t 10\.96\.0\.1:80 -r 10\.244\.2\.5:8080 -m -w 0/);
      assert.match(drainingNow, /-A -t 10\.96\.0\.2:80/);
      assert.equal(await node.backend.findDrift(signal), undefined);
      assert.equal(
        await node.tool('ipvsadm', ['-Sn']),
        '-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1\n',
      );
      assert.doesNotMatch(await node.tool('ip', ['addr']), /10\.96\.0\.2\//);
      assert.equal(await node.backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'what somebody clears is found and written again',
    run: async (node) => {
      for (const [tool, args, what] of [
        ['ipvsadm', ['-C'], /virtual server -t 10\.96\.0\.1:80 is missing/],
        ['ipset', ['flush', 'KUBE-CLUSTER-IP'], /set KUBE-CLUSTER-IP holds 0 entries instead of 1/],
        ['ip', ['link', 'del', 'kube-ipvs0'], /device kube-ipvs0 is missing/],
        ['iptables', ['-F', 'KUBE-IPVS-FILTER'], /chain KUBE-IPVS-FILTER/],
      ] as const) {
        await syncAll(node, [web(1)]);
        await node.tool(tool, args);
        assert.match(JSON.stringify(await node.backend.findDrift(signal)), what);
      }
      await syncAll(node, [web(1)]);
      assert.equal(await node.backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'a real server that somebody sends packets to in another way is found and written again',
    run: async (node) => {
      const services = [web(1, { ports: [{ port: 8080 }] })];
      await syncAll(node, services);
      await node.tool('ipvsadm', ['-e', '-t', '10.96.0.1:8080', '-r', '10.244.1.2:8080', '-g', '-w', '1']);
      assert.equal(
        await node.backend.findDrift(signal),
        'real server 10.244.1.2:8080 of -t 10.96.0.1:8080 is sent packets in another way',
      );
      await syncAll(node, services);
      assert.equal(await node.backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'an address that the node gets is no drift: NodePorts are served on it after the full sync that is asked for',
    run: async (node) => {
      const services = [web(1, { ports: [{ port: 80, nodePort: 30_080 }], spec: { type: 'NodePort' } })];
      await node.tool('sh', ['-ec', 'ip link add eth0 type dummy; ip addr add 192.168.0.10/24 dev eth0']);
      await syncAll(node, services);
      assert.equal(await node.backend.findDrift(signal), undefined);
      await node.tool('ip', ['addr', 'add', '192.168.0.11/24', 'dev', 'eth0']);
      assert.deepEqual(await node.backend.findDrift(signal), {
        outdated: "the node's own addresses are different, which NodePorts are served on",
      });
      await syncAll(node, services);
      assert.match(await node.tool('ipvsadm', ['-Sn']), /^-A -t 192\.168\.0\.11:30080 /m);
      assert.equal(await node.backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'a virtual server that a reading leaves out, as beside the other family, is looked for once more',
    run: async ({ run }) => {
      let isWritten = false;
      let leftOut = 0;
      const leavingOut: RunCommand = async ({ onLine, ...command }) => {
        isWritten ||= command.args.includes('-R');
        if (onLine === undefined) return run(command);
        const isFirst = isWritten && leftOut === 0 && command.args.includes('-Ln');
        if (isFirst) leftOut += 1;
        return run({ ...command, onLine: isFirst ? () => undefined : onLine });
      };
      assert.equal((await syncAll(nodeWith(leavingOut), [web(1)])).services, 1);
      assert.equal(leftOut, 1);
    },
  },
  {
    name: 'a tool that does nothing and says it did is found out',
    run: async ({ run }) => {
      const idle: RunCommand = async (command) => (command.args.includes('-R') ? '' : run(command));
      await assert.rejects(
        syncAll(nodeWith(idle), [web(1)]),
        /the tools reported success, but virtual server -t 10\.96\.0\.1:80 is missing/,
      );
    },
  },
];
