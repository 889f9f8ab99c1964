/**
 * At which addresses of its machine a daemon answers when no flag says where: each in a network namespace of its own,
 * with a kubeconfig whose API server is nowhere.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { describeWhere } from '../support/requirements.ts';

const loopback = ['127.0.0.1', '[::1]'];
const outer = ['192.0.2.1', '[2001:db8::1]'];
const everywhere = [...loopback, ...outer];
const withoutIPv6 = (hosts: readonly string[]): string[] => hosts.filter((host) => !host.startsWith('['));

const listeners = [
  { name: 'agent, health', args: ['agent', '--node', 'node-1'], url: ':10256/livez', hosts: everywhere },
  { name: 'agent, metrics', args: ['agent', '--node', 'node-1'], url: ':10249/metrics', hosts: loopback },
  { name: 'operator, health', args: ['operator'], url: ':8081/livez', hosts: everywhere },
  { name: 'operator, metrics', args: ['operator'], url: ':8080/metrics', hosts: loopback },
];
const rows = listeners.flatMap((row) => [
  { ...row, kernel: 'both families', setUp: 'ip address add 2001:db8::1/128 dev lo nodad' },
  {
    ...row,
    kernel: 'IPv4 alone',
    setUp: 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6',
    hosts: withoutIPv6(row.hosts),
  },
]);

/** Prints the addresses that answer, as soon as one does, and ends the daemon. */
const askAll = `
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
const [url, ...args] = process.argv.slice(1);
const daemon = spawn(process.execPath, ['src/main.ts', ...args], { stdio: 'ignore' });
const asks = (host) => fetch('http://' + host + url).then(() => [host], () => []);
let answered = [];
while (answered.length === 0) { await sleep(20); answered = await asks('127.0.0.1'); }
answered = (await Promise.all(${JSON.stringify(everywhere)}.map(asks))).flat();
daemon.kill('SIGKILL');
console.log(JSON.stringify(answered));`;

describeWhere(['netns', 'root'], 'listening', () => {
  let directory: string;
  let kubeconfig: string;

  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'proxyconfig-listening-'));
    kubeconfig = path.join(directory, 'kubeconfig');
    const named = { name: 'nowhere', cluster: { server: 'https://127.0.0.1:1' } };
    const context = { name: 'nowhere', context: { cluster: 'nowhere', user: 'nobody' } };
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [named],
        contexts: [context],
        'current-context': 'nowhere',
        users: [{ name: 'nobody', user: {} }],
      }),
    );
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each(rows)('$name, where the kernel has $kernel', async ({ args, url, hosts, setUp }) => {
    const prepare = `ip link set lo up; ip address add 192.0.2.1/32 dev lo; ${setUp}; exec "$@"`;
    const inNamespace = [
      '--net',
      'sh',
      '-ec',
      prepare,
      'sh',
      process.execPath,
      '--input-type=module',
      '--eval',
      askAll,
    ];
    const flags = ['--kubeconfig', kubeconfig, ...(args[0] === 'agent' ? ['--state-dir', directory] : [])];
    const { stdout } = await execa('unshare', [...inNamespace, url, ...args, ...flags]);
    expect(JSON.parse(stdout)).toEqual(hosts);
  });
});
