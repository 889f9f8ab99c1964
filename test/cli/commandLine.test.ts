import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { manifest, proxyconfig } from './proxyconfig.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

describe('command line', () => {
  describe('help and version', () => {
    const rows = [
      {
        args: ['--help'],
        exitCode: 0,
        stdout: ['agent', 'operator', 'status', 'render', 'cleanup', 'Exit status: 0', 'kubectl explain'],
      },
      { args: ['--version'], exitCode: 0, stdout: [version] },
      {
        args: ['agent', '--help'],
        exitCode: 0,
        stdout: ['NODE_NAME', ':10256', 'localhost:10249', '/var/lib/proxyconfig', 'Example', 'Exit status'],
      },
      {
        args: ['operator', '--help'],
        exitCode: 0,
        stdout: ['--kubeconfig', 'localhost:8080', 'Example', 'Exit status'],
      },
      {
        args: ['status', '--help'],
        exitCode: 0,
        stdout: [
          '--watch',
          'NO_COLOR',
          'kubectl proxyconfig status',
          'Examples',
          'Exit status: 0 every ProxyConfig is Ready',
          '3 some',
        ],
      },
      { args: ['render', '--help'], exitCode: 0, stdout: ['iptables-restore --noflush', 'Examples', 'Exit status'] },
      { args: ['cleanup', '--help'], exitCode: 0, stdout: ['stop the agent first', 'Exit status'] },
    ];
    test.each(rows)('proxyconfig $args', async ({ args, exitCode, stdout }) => {
      const run = await proxyconfig(args);
      expect(run).toMatchObject({ exitCode, stderr: '' });
      for (const text of stdout) expect(run.stdout).toContain(text);
    });
  });

  describe('wrong usage ends with status 2 and names the flag', () => {
    const agent = ['agent', '--kubeconfig', 'package.json', '--node', 'node-1'];
    const operator = ['operator', '--kubeconfig', 'package.json'];
    const render = ['render', '-f', manifest('redis.yaml')];
    const rows: { args: string[]; env?: Record<string, string>; stderr: string }[] = [
      { args: [], stderr: 'Usage: proxyconfig' },
      { args: ['rendr'], stderr: "unknown command 'rendr'" },
      { args: ['agent', '--nodes', 'x'], stderr: "unknown option '--nodes'" },
      { args: ['agent', '--kubeconfig', 'package.json'], stderr: '--node is required' },
      { args: ['agent', '--node', 'node-1'], stderr: 'give --kubeconfig FILE, or run as a Pod' },
      { args: [...agent, '--kubeconfig', ''], stderr: '--kubeconfig must name a file' },
      {
        args: [...agent, '--kubeconfig', '/nowhere'],
        stderr: '--kubeconfig must name a file that can be read; /nowhere cannot',
      },
      { args: [...agent, '--health-address', '10256'], stderr: '--health-address must be ADDRESS:PORT' },
      { args: [...agent, '--metrics-address', '127.0.0.1:65536'], stderr: '--metrics-address must be ADDRESS:PORT' },
      { args: [...agent, '--metrics-address', '::1:10249'], stderr: '--metrics-address must be ADDRESS:PORT' },
      { args: [...agent, '--state-dir', 'state'], stderr: '--state-dir must be an absolute path' },
      { args: [...agent, '--log-level', 'verbose'], stderr: '--log-level must be one of error, warn, info, debug' },
      { args: [...operator, '--log-level', 'INFO'], stderr: '--log-level must be one of error, warn, info, debug' },
      { args: [...operator, '--node', 'x'], stderr: "unknown option '--node'" },
      {
        args: ['agent', '--node', 'x'],
        env: { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: 'https' },
        stderr: 'KUBERNETES_SERVICE_PORT must be a port',
      },
      { args: ['status', 'default', 'edge'], stderr: 'too many arguments' },
      { args: ['status', '-o', 'xml'], stderr: 'Allowed choices are text, json, yaml' },
      { args: ['status', '--kubeconfig', ''], stderr: '--kubeconfig must name a file' },
      { args: ['status', '--kubeconfig', 'package.json'], stderr: 'no cluster: give --kubeconfig' },
      { args: ['status'], env: { HOME: '/nowhere', KUBECONFIG: '' }, stderr: 'no cluster: give --kubeconfig' },
      { args: ['status'], env: { KUBECONFIG: '/nowhere' }, stderr: 'the kubeconfig cannot be used' },
      { args: ['render', '--node', 'node-1'], stderr: "required option '-f, --filename <file>'" },
      { args: render, stderr: "required option '--node <name>'" },
      {
        args: [...render, '--node', 'node-1', '--mode', 'ebpf'],
        stderr: 'Allowed choices are iptables, ipvs, nftables, userspace',
      },
      { args: [...render, '--node', 'node-1', '--family', 'ipv5'], stderr: 'Allowed choices are ipv4, ipv6' },
      { args: [...render, '--node', 'node-1', '-o', 'yaml'], stderr: 'Allowed choices are text, json' },
      {
        args: [...render, '--node', 'node-1', '--tool', 'ipvsadm'],
        stderr: "--tool: mode iptables runs iptables-restore for ipv4, not 'ipvsadm'",
      },
      {
        args: [...render, '--node', 'node-1', '--tool', 'nft', '-o', 'json', '--mode', 'ipvs'],
        stderr: 'mode ipvs runs ipvsadm, ipset, iptables-restore, ip, ip6tables-restore for ipv4 and ipv6, not',
      },
      { args: [...render, '--node', 'Node 1'], stderr: '--node must be the name of a Node' },
      { args: ['render', '-f', '-', '-f', '-', '--node', 'node-1'], stderr: '-f - may be given once' },
      { args: ['cleanup', 'all'], stderr: 'too many arguments' },
    ];
    test.each(rows)('proxyconfig $args', async ({ args, env, stderr }) => {
      const run = await proxyconfig(args, { env });
      expect(run).toMatchObject({ exitCode: 2, stdout: '' });
      expect(run.stderr).toContain(stderr);
      expect(run.stderr).not.toContain('    at ');
    });
  });
});
