/**
 * What a proxy of before left on a node: in the other variant of iptables, in an IP family that the node does not have,
 * in another mode. On the real kernel, with an agent as a process of its own and the real kube-proxy.
 */
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ensureBinaries } from '../cluster/binaries.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { FaultNode, fewConnections, web } from './faultNode.ts';
import { expectFlowUnharmed } from './unharmed.ts';

type Variant = 'nft' | 'legacy';

/** The agent starts, waits 3 s for handshakes, and removes: 5 s; three times as long. */
const maxRemovalMs = 15_000;
/** After another proxy was seen it looks every 30 s; three times as long. */
const maxRetryMs = 90_000;

/** Of a kube-proxy of before: it leads connections to `web` to a pod that is gone. */
const leftovers = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SVC-LOLE4ISW44XBNF3G - [0:0]
:KUBE-SEP-LOLE4ISW44XBNF3G - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-SERVICES -d ${web}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-LOLE4ISW44XBNF3G
-A KUBE-SVC-LOLE4ISW44XBNF3G -j KUBE-SEP-LOLE4ISW44XBNF3G
-A KUBE-SEP-LOLE4ISW44XBNF3G -p tcp -m tcp -j DNAT --to-destination 10.1.1.9:8099
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
*mangle
:KUBE-PROXY-CANARY - [0:0]
COMMIT
`;

/** kubelet's, and those of a program that maps host ports. */
const foreign = `*mangle
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-DROP - [0:0]
:OTHERS - [0:0]
-A POSTROUTING -j OTHERS
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A OTHERS -s 203.0.113.0/24 -m comment --comment "KUBE-SERVICES? no" -j RETURN
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
`;
const foreignChain = /KUBE-KUBELET-CANARY|KUBE-MARK-DROP|KUBE-FIREWALL|OTHERS/;

const backends: { readonly [variant in Variant]: 'Nft' | 'Legacy' } = { nft: 'Nft', legacy: 'Legacy' };

describeWhere(['root', 'cluster', 'iptables'], 'Agent on a node where another proxy left rules', () => {
  let node: FaultNode;
  beforeAll(async () => {
    node = await FaultNode.start();
  }, 120_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  async function saved(variant: Variant, tool: 'iptables' | 'ip6tables' = 'iptables'): Promise<string[]> {
    const text = await node.host.run([`${tool}-${variant}-save`]);
    return text
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.replace(/ \[\d+:\d+\]$/, ''));
  }

  function load(variant: Variant, input: string, tool: 'iptables' | 'ip6tables' = 'iptables'): Promise<string> {
    return node.host.run([`${tool}-${variant}-restore`, '--noflush'], input);
  }

  /** Lines of whatever kube-proxy might have made. */
  async function ofProxies(variant: Variant, tool?: 'iptables' | 'ip6tables'): Promise<string[]> {
    return (await saved(variant, tool)).filter((line) => line.includes('KUBE-') && !foreignChain.test(line));
  }

  async function ofOthers(variant: Variant): Promise<string[]> {
    return (await saved(variant)).filter((line) => foreignChain.test(line));
  }

  function condition(field: 'reason' | 'message'): Promise<string> {
    return node.status(`{.status.conditions[?(@.type=="OldModeRemoved")].${field}}`);
  }

  const isReady = async (): Promise<boolean> => (await node.status('{.status.state}')) === 'Ready';

  async function untilGone(what: string, isGone: () => Promise<boolean>, timeoutMs = maxRemovalMs): Promise<void> {
    const started = performance.now();
    await until(what, isGone, timeoutMs).catch((cause: unknown) => {
      throw new Error(node.agent.log().slice(-3000), { cause });
    });
    process.stdout.write(`${what} after ${Math.round(performance.now() - started)} ms\n`);
  }

  function serveWith(iptables: Variant): Promise<void> {
    return node.configure({ iptables: { backend: backends[iptables] } });
  }

  const directions: readonly { serving: Variant; left: Variant }[] = [
    { serving: 'nft', left: 'legacy' },
    { serving: 'legacy', left: 'nft' },
  ];

  test.each(directions)(
    'takes them out of $left when it serves in $serving, and nothing of anybody else',
    async ({ serving, left }) => {
      await serveWith(serving);
      for (const variant of ['nft', 'legacy'] as const) await load(variant, foreign);
      await node.agent.end('SIGTERM');
      const others = [await ofOthers('nft'), await ofOthers('legacy')];
      await load(left, leftovers);
      const outcome = await node.underTraffic(async () => {
        node.agent = node.host.startAgent();
        await untilGone(`leftovers in ${left} are gone`, async () => (await ofProxies(left)).length === 0);
        expect(await node.answers()).toBe(true);
      }, fewConnections);
      expectFlowUnharmed(outcome);
      expect([await ofOthers('nft'), await ofOthers('legacy')]).toEqual(others);
      await until('Ready', isReady);
      expect(await condition('reason')).toBe('');
    },
    90_000,
  );

  test('leaves what other programs need: where they mark packets for masquerading, these are masqueraded', async () => {
    await serveWith('nft');
    await node.agent.end('SIGTERM');
    await load('legacy', leftovers);
    await load('legacy', '*nat\n:OTHERS - [0:0]\n-A OTHERS -p tcp -m tcp --dport 9999 -j KUBE-MARK-MASQ\nCOMMIT\n');
    const kept = (await saved('legacy')).filter((line) => /POSTROUTING|KUBE-MARK-MASQ/.test(line));
    node.agent = node.host.startAgent();
    const stays = /KUBE-POSTROUTING|KUBE-MARK-MASQ/;
    await untilGone('all but these are gone', async () =>
      (await ofProxies('legacy')).every((line) => stays.test(line)),
    );
    expect((await saved('legacy')).filter((line) => /POSTROUTING|KUBE-MARK-MASQ/.test(line))).toEqual(kept);
    await load('legacy', '*nat\n-D OTHERS -p tcp -m tcp --dport 9999 -j KUBE-MARK-MASQ\nCOMMIT\n');
  }, 60_000);

  test('takes rules of IPv6 away on a node of IPv4, in both variants, and the tables of nftables mode', async () => {
    await serveWith('nft');
    await node.agent.end('SIGTERM');
    const ofIPv6 = leftovers.replaceAll(`${web}/32`, 'fd00:96::10/128').replaceAll('10.1.1.9:', '[fd00:1::9]:');
    for (const variant of ['nft', 'legacy'] as const) await load(variant, ofIPv6, 'ip6tables');
    await node.host.run(
      ['nft', '-f', '-'],
      `table ip kube-proxy {
        chain services {
          ip daddr ${web} tcp dport 80 dnat to 10.1.1.9:8099;
        }
        chain nat-output {
          type nat hook output priority -110;
          jump services;
        }
      }
      table ip6 kube-proxy {
        chain services { counter; }
      }
      table ip others {
        chain services { counter; }
      }
      `,
    );
    const others = await node.host.run(['nft', 'list', 'table', 'ip', 'others']);
    await node.underTraffic(async () => {
      expect(await node.answers()).toBe(false);
      node.agent = node.host.startAgent();
      await untilGone(
        'rules of IPv6 and tables are gone',
        async () =>
          (await ofProxies('nft', 'ip6tables')).length + (await ofProxies('legacy', 'ip6tables')).length === 0 &&
          !(await node.host.run(['nft', 'list', 'tables'])).includes('kube-proxy'),
      );
      expect(await node.answers()).toBe(true);
    }, fewConnections);
    expect(await node.host.run(['nft', 'list', 'table', 'ip', 'others'])).toBe(others);
  }, 60_000);

  describeWhere(['root'], 'and runs', () => {
    let tools: string;
    let program: string;
    beforeEach(async () => {
      tools = await mkdtemp(path.join(tmpdir(), 'kube-proxy-tools-'));
      for (const tool of ['iptables', 'ip6tables'])
        for (const end of ['', '-save', '-restore'])
          await symlink(`/usr/sbin/${tool}-legacy${end}`, path.join(tools, `${tool}${end}`));
      ({ 'kube-proxy': program } = await ensureBinaries({ which: ['kube-proxy'] }));
    });
    afterEach(() => rm(tools, { recursive: true }));

    test.each([
      {
        mode: 'iptables',
        traces: async (): Promise<boolean> => (await ofProxies('legacy')).some((line) => line.includes('-A KUBE-SVC-')),
      },
      {
        mode: 'nftables',
        traces: async (): Promise<boolean> =>
          (await node.host.run(['nft', 'list', 'tables'])).includes('table ip kube-proxy'),
      },
    ])(
      'leaves the rules of a kube-proxy in mode $mode alone, says so, and takes them away when it has ended',
      async ({ mode, traces }) => {
        await serveWith('nft');
        await node.agent.end('SIGTERM');
        const kubeProxy = node.host.spawn([
          'env',
          `PATH=${tools}:${process.env['PATH']}`,
          program,
          `--kubeconfig=${node.host.server.kubeconfig}`,
          `--hostname-override=${node.host.name}`,
          '--conntrack-max-per-core=0',
          `--proxy-mode=${mode}`,
        ]);
        let said = '';
        kubeProxy.stderr.on('data', (text: Buffer) => (said += text.toString()));
        try {
          await until(`kube-proxy serves`, traces, 30_000).catch((cause: unknown) => {
            throw new Error(said.slice(-3000), { cause });
          });
          node.agent = node.host.startAgent();
          const started = performance.now();
          await until('it is said', async () => (await condition('reason')) === 'OtherProxyRuns', 30_000);
          process.stdout.write(`${Math.round(performance.now() - started)} ms: ${await condition('message')}\n`);
          expect(await traces()).toBe(true);
          await until('Ready', isReady);
          kubeProxy.kill('SIGTERM');
          await once(kubeProxy, 'exit');
          await untilGone(`rules of mode ${mode} are gone`, async () => !(await traces()), maxRetryMs);
          await until('it is said no more', async () => (await condition('reason')) === '', 30_000);
        } finally {
          kubeProxy.kill('SIGKILL');
        }
      },
      240_000,
    );
  });
});
