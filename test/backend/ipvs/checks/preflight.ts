/** What of a kernel is missed, and how it is said. */
import assert from 'node:assert/strict';
import type { RunCommand } from '../../../../src/system/command.ts';
import { CommandError } from '../../../../src/system/command.ts';
import { defaultConfig } from '../../../support/serviceManifests.ts';
import type { Check, Node } from './node.ts';
import { leftovers, nodeWith } from './node.ts';

export const preflightChecks: readonly Check[] = [
  {
    name: 'a kernel that has everything passes the preflight, which leaves nothing behind',
    run: async (node) => {
      assert.equal(
        await node.backend.preflight({ ...defaultConfig, mode: 'ipvs', ipvs: { scheduler: 'mh', strictARP: false } }),
        undefined,
      );
      assert.equal(await leftovers(node), '');
    },
  },
  {
    name: 'a scheduler that the kernel lacks is refused by name',
    run: async ({ backend }) => {
      const refusal = await backend.preflight({
        ...defaultConfig,
        mode: 'ipvs',
        ipvs: { scheduler: 'twos' as 'rr', strictARP: false },
      });
      assert.equal(refusal?.reason, 'KernelModuleMissing');
      assert.match(refusal.message, /no scheduler twos \(modprobe ip_vs_twos;/);
    },
  },
  {
    name: 'a kernel whose rules cannot ask sets is refused by name',
    run: async (node) => {
      assert.equal(
        await refusalWithout(node, '--match-set'),
        'no match of iptables rules by IP set (modprobe xt_set; CONFIG_NETFILTER_XT_SET)',
      );
      assert.equal(await leftovers(node), '');
    },
  },
  {
    name: 'a kernel that cannot make the device is refused by name',
    run: async (node) => {
      assert.equal(await refusalWithout(node, 'type dummy'), 'no dummy network devices (modprobe dummy; CONFIG_DUMMY)');
      assert.equal(await leftovers(node), '');
    },
  },
  {
    name: 'a kernel that lacks one type of set is refused by that name alone',
    run: async (node) => {
      assert.equal(
        await refusalWithout(node, 'hash:ip,port,ip'),
        'no IP sets of type hash:ip,port,ip (modprobe ip_set_hash_ipportip; CONFIG_IP_SET_HASH_IPPORTIP)',
      );
      assert.equal(
        await refusalWithout(node, 'bitmap:port'),
        'no IP sets of type bitmap:port (modprobe ip_set_bitmap_port; CONFIG_IP_SET_BITMAP_PORT)',
      );
      assert.equal(await leftovers(node), '');
    },
  },
];

/** What is said to be missing of a kernel that refuses every input with these words. */
async function refusalWithout({ run }: Node, words: string): Promise<string | undefined> {
  const lacks: RunCommand = async (command) => {
    const text = [...(command.input ?? [])].join('');
    if (text.includes(words)) throw new CommandError('Failed', 'refused', { exitCode: 2 });
    return run({ ...command, ...(command.input && { input: [text] }) });
  };
  const refusal = await nodeWith(lacks).backend.preflight({ ...defaultConfig, mode: 'ipvs' });
  assert.equal(refusal?.reason, 'KernelModuleMissing');
  return /^this kernel has (.*); install what is named and load it, by modprobe on the node or by a new start of the agent's Pod, or use a kernel with these options$/.exec(
    refusal.message,
  )?.[1];
}
