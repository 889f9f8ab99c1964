/**
 * A tool that is ended by a signal says nothing of the kernel, the configuration or a Service, whichever it is: each in
 * turn is a program that ends itself, beside the others on a real node.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { endFlowsTo } from '../../src/netfilter/conntrack/tools/conntrack.ts';
import { removeAnchor } from '../../src/netfilter/conntrack/tools/conntrackAnchor.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { createBackend } from '../../src/backend/registry.ts';
import type { RunCommand } from '../../src/system/command.ts';
import { createEmptyNode, type Network } from '../support/network.ts';
import { defaultConfig } from '../support/serviceManifests.ts';
import { describeWhere } from '../support/requirements.ts';
import { manyServices, signal, state } from './iptables/services.ts';

describeWhere(['root', 'iptables'], 'a tool that is ended by a signal', () => {
  let node: Pick<Network, 'runOnNode' | 'close'>;
  beforeEach(() => {
    node = createEmptyNode();
  });
  afterEach(() => node.close());

  /** Runs all programs but those that a pattern names, by their whole command line. */
  function runWith(pattern: RegExp, script: string): RunCommand {
    return ({ file, args, ...more }) =>
      node.runOnNode(
        pattern.test([file, ...args].join(' '))
          ? { ...more, file: '/bin/sh', args: ['-c', script] }
          : { ...more, file, args },
      );
  }

  const runAllBut = (dying: RegExp): RunCommand => runWith(dying, 'kill -SEGV $$');

  function backendWithout(dying: RegExp): Backend {
    return createBackend('iptables', 'ipv4', { run: runAllBut(dying) });
  }

  const everything = { state: state(manyServices(3)), changed: 'all', signal } as const;

  async function saved(variant: 'nft' | 'legacy'): Promise<string> {
    return node.runOnNode({ file: `/usr/sbin/iptables-${variant}-save`, args: [], timeoutMs: 10_000 });
  }

  function nft(args: string): Promise<string> {
    return node.runOnNode({ file: '/usr/sbin/nft', args: args.split(' '), timeoutMs: 10_000 });
  }

  describe('in iptables mode', () => {
    test.each([
      { name: 'one that tells its version', dying: /iptables-nft-restore --version/, tool: 'iptables' },
      { name: 'one that reads', dying: /iptables-nft-save/, tool: 'iptables-save' },
      { name: 'one that tries', dying: /iptables-nft-restore .*--test/, tool: 'iptables-restore' },
      { name: 'one that writes', dying: /iptables-nft-restore (?!--version|--test)/, tool: 'iptables-restore' },
    ])('$name fails the sync, which leaves out no Service and takes no other variant', async ({ dying, tool }) => {
      await expect(backendWithout(dying).sync(everything)).rejects.toMatchObject({
        reason: 'ToolKilled',
        message: expect.stringMatching(`^${tool} died of SIGSEGV`),
      });
      expect((await saved('nft')) + (await saved('legacy'))).not.toContain('KUBE-SERVICES');
    });

    test('an nft that cannot show a table is named, and the table not taken for another variant', async () => {
      await nft('add table ip filter');
      await nft('add chain ip filter INPUT { type filter hook input priority 0; }');
      await nft('add rule ip filter INPUT ct state established,related accept');
      await expect(backendWithout(/nft list/).sync(everything)).rejects.toMatchObject({
        reason: 'TableUnreadable',
        message: expect.stringMatching(/table filter .* nft died of SIGSEGV.* take the rule out/),
      });
      expect(await saved('legacy')).not.toContain('KUBE-');
    });
  });

  describe('in ipvs mode', () => {
    test.each([
      { dying: /ipvsadm/, tool: 'ipvsadm' },
      { dying: /ipset/, tool: 'ipset' },
      { dying: /\/ip -batch/, tool: 'ip' },
    ])('$tool is not taken for a module that the kernel lacks', async ({ dying, tool }) => {
      const backend = createBackend('ipvs', 'ipv4', { run: runAllBut(dying) });
      expect(await backend.preflight({ ...defaultConfig, mode: 'ipvs' })).toMatchObject({
        reason: 'ToolKilled',
        message: expect.stringMatching(`^${tool} died of SIGSEGV`),
      });
    });

    test("another program's lock is not taken for a module that the kernel lacks", async () => {
      // By kubelet's mark the node uses the legacy variant, which ends with 4 where it waited for the lock in vain.
      await node.runOnNode({
        file: '/usr/sbin/iptables-legacy',
        args: ['-t', 'mangle', '-N', 'KUBE-KUBELET-CANARY'],
        timeoutMs: 10_000,
      });
      const run = runWith(/iptables-legacy-restore (?!--version)/, 'exit 4');
      expect(await createBackend('ipvs', 'ipv4', { run }).preflight({ ...defaultConfig, mode: 'ipvs' })).toMatchObject({
        reason: 'LockHeld',
      });
    });

    test('ipset is not taken for a kernel without sets by what removes them', async () => {
      const backend = createBackend('ipvs', 'ipv4', { run: runAllBut(/ipset/) });
      await expect(backend.cleanup()).rejects.toMatchObject({ reason: 'ToolKilled' });
    });
  });

  test('nft is not taken for an anchor that is not there', async () => {
    await expect(removeAnchor({ run: runAllBut(/nft delete/) })).rejects.toMatchObject({ reason: 'Killed' });
  });

  test('conntrack is not taken for flows that are not there', async () => {
    const flows = { protocol: 'UDP', address: '10.96.0.10', port: '53' };
    await expect(endFlowsTo(flows, 'ipv4', { run: runAllBut(/conntrack/) })).rejects.toMatchObject({
      reason: 'Killed',
    });
  });
});
