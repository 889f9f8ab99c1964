/** What the tools refuse, and who is left out for it. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import type { SyncResult } from '../../../../src/backend/backend.ts';
import type { RunCommand } from '../../../../src/system/command.ts';
import { CommandError } from '../../../../src/system/command.ts';
import type { ServiceManifest } from '../../../support/serviceManifests.ts';
import { loadBalancerIP } from '../../../support/serviceManifests.ts';
import type { Check, Node } from './node.ts';
import { ipvsState, nodeWith, signal, syncAll, virtualServers, web } from './node.ts';

export const refusalChecks: readonly Check[] = [
  {
    name: 'Services that ipvsadm, ipset, ip or iptables refuses are left out and named, all others are programmed, and they are tried again when they change',
    run: async (node) => {
      const refused = { ipvsadm: '10.96.0.2', ipset: '10.96.0.3', ip: '10.96.0.4', iptables: '203.0.113.7' };
      const { backend } = nodeWith(refusing(node.run, refused));
      const all = [...[1, 2, 3, 4, 5].map((index) => web(index)), balanced(7), balanced(8)];
      assertQuarantined(await searched(await syncAll({ backend }, all), { backend }, all), [
        'default/web-2',
        'default/web-3',
        'default/web-4',
        'default/web-7',
      ]);
      assert.deepEqual(await served(node), ['10.96.0.1', '10.96.0.5', '10.96.0.8']);
      assert.match(await node.tool('iptables-save', []), /-d 203\.0\.113\.8\/32 .* -j KUBE-EXT-/);
      assert.equal(await backend.findDrift(signal), undefined);
      Object.assign(refused, { ipset: '10.96.0.6' });
      const changed = new Set(['default/web-3', 'default/web-6']);
      const change = await backend.sync({ state: ipvsState([...all, web(6)]), changed, signal });
      assertQuarantined(await searched(change, { backend }, [...all, web(6)]), [
        'default/web-2',
        'default/web-4',
        'default/web-6',
        'default/web-7',
      ]);
      assert.deepEqual(await served(node), ['10.96.0.1', '10.96.0.3', '10.96.0.5', '10.96.0.8']);
      assert.doesNotMatch(await node.tool('iptables-save', []), /KUBE-PROXY-TRIAL/);
      assert.equal(await backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'where no Service alone is to blame, the sync fails',
    run: async (node) => {
      const { backend } = nodeWith(refusing(node.run, { ipvsadm: '--set' }));
      await assert.rejects(syncAll({ backend }, [web(1)]), /ipvsadm failed/);
    },
  },
  {
    name: 'a line that ipvsadm refuses leads to a full write where no Service is to blame, also when it is not the last',
    run: async (node) => {
      await syncAll(node, [web(1)]);
      await node.tool('ipvsadm', ['-A', '-t', '10.96.0.2:80', '-s', 'lc']);
      const state = ipvsState([web(1), web(2)]);
      const { full, quarantined } = await node.backend.sync({ state, changed: new Set(['default/web-2']), signal });
      assert.deepEqual({ full, quarantined }, { full: true, quarantined: [] });
      assert.match(await node.tool('ipvsadm', ['-Sn']), /^-A -t 10\.96\.0\.2:80 -s rr$/m);
    },
  },
];

function balanced(index: number): ServiceManifest {
  return web(index, { loadBalancerIP: loadBalancerIP(index), spec: { type: 'LoadBalancer' } });
}

/** What comes of the syncs that a sync loop would make until all who are refused are known: the kernel is slow here. */
async function searched(
  first: SyncResult,
  { backend }: Pick<Node, 'backend'>,
  manifests: Parameters<typeof syncAll>[1],
): Promise<SyncResult> {
  let result = first;
  for (let sync = 0; (result.untried ?? 0) > 0 && sync < 10; sync += 1) result = await syncAll({ backend }, manifests);
  return result;
}

/** Each tool changes nothing and fails when its input holds the word. */
function refusing(run: RunCommand, refused: Readonly<Record<string, string>>): RunCommand {
  return async (command) => {
    const text = [...(command.input ?? [])].join('');
    const tool = basename(command.file).replace(/(-legacy|-nft)?-restore$/, '');
    const word = refused[tool];
    if (word !== undefined && text.split(/[\s,:/]/).includes(word))
      throw new CommandError('Failed', 'refused', { exitCode: 1, stderr: 'secret' });
    return run({ ...command, ...(command.input && { input: [text] }) });
  };
}

function assertQuarantined(
  { quarantined = [] }: Awaited<ReturnType<typeof syncAll>>,
  services: readonly string[],
): void {
  assert.deepEqual(quarantined.map(({ service }) => service).sort(), services);
  for (const { reason, message } of quarantined)
    assert.match(
      `${reason}: ${message}`,
      /^KernelRefused: the kernel refused the virtual servers, sets, addresses or rules.*tried again when the Service changes/,
    );
}

/** The addresses that have a virtual server with two real servers, stand on the device and are in the set. */
async function served({ tool }: Node): Promise<readonly string[]> {
  const servers = Object.entries(virtualServers(await tool('ipvsadm', ['-Ln'])));
  const device = await tool('ip', ['addr', 'show', 'kube-ipvs0']);
  const set = await tool('ipset', ['save', 'KUBE-CLUSTER-IP']);
  const addresses = servers
    .filter(([, reals]) => reals.length === 2)
    .map(([name]) => /^TCP ([^:]*):80 /.exec(name)?.[1] ?? '');
  return addresses.filter((address) => device.includes(` ${address}/32`) && set.includes(` ${address},tcp:80`)).sort();
}
