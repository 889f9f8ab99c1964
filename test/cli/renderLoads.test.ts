import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { describeWhere } from '../support/requirements.ts';
import { proxyconfig } from './proxyconfig.ts';

const unshare = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net', '--mount'];
const render = ['render', '-f', 'test/cli/manifests', '--node', 'node-1'];

/** Loads rules into a network namespace of their own, and lists what the kernel then holds. */
async function loaded(tool: 'iptables' | 'ip6tables', input: string): Promise<string> {
  const { stdout } = await execa('unshare', [...unshare, 'sh', '-ec', `${tool}-restore --noflush && ${tool}-save`], {
    input,
  });
  return stdout;
}

describeWhere(['iptables', 'netns'], 'what proxyconfig render prints', () => {
  test('loads into an empty network namespace, IPv4', async () => {
    const { stdout } = await proxyconfig(render);
    const rules = await loaded('iptables', stdout);
    expect(rules).toContain(
      '-A KUBE-SERVICES -d 10.103.193.175/32 -p tcp -m comment --comment "work/saythx-redis cluster IP" -m tcp --dport 6379 -j KUBE-SVC-FWZO4IPCTY5IWGE6',
    );
    expect(rules).toContain('-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES');
    expect(rules).toContain('0x4000/0x4000');
  });

  test('loads into an empty network namespace, IPv6', async () => {
    const { stdout } = await proxyconfig([...render, '--family', 'ipv6']);
    expect(await loaded('ip6tables', stdout)).toContain('-A KUBE-SERVICES -d fd00:10:96::a/128');
  });

  test('has mark 0x8000 everywhere with masquerade.bit 15', async () => {
    const input =
      'apiVersion: proxyconfig.dev/v1alpha1\nkind: ProxyConfig\nmetadata: {name: bit-15}\nspec: {mode: iptables, priority: 1, masquerade: {bit: 15}}';
    const { stdout } = await proxyconfig([...render, '-f', '-'], { input });
    const rules = await loaded('iptables', stdout);
    expect(rules).toContain('0x8000/0x8000');
    expect(rules).not.toContain('0x4000');
  });
});
