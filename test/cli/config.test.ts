import { describe, expect, test } from '@jest/globals';
import { agentConfig, operatorConfig, statusConfig, type AgentFlags } from '../../src/config.ts';

const flags: AgentFlags = {
  healthAddress: '0.0.0.0:10256',
  metricsAddress: '127.0.0.1:10249',
  stateDir: '/var/lib/proxyconfig',
  logLevel: 'info',
  node: 'node-1',
  kubeconfig: 'package.json',
};
const { kubeconfig: _kubeconfig, node: _node, ...inPod } = flags;

describe('config', () => {
  test('flags become one frozen configuration', () => {
    const config = agentConfig(flags, '0.1.0', {});
    expect(config).toEqual({
      version: '0.1.0',
      kubernetes: { kubeconfig: 'package.json' },
      nodeName: 'node-1',
      healthAddress: { host: '0.0.0.0', port: 10_256 },
      metricsAddress: { host: '127.0.0.1', port: 10_249 },
      stateDirectory: '/var/lib/proxyconfig',
      logLevel: 'info',
    });
    expect([config, config.kubernetes, config.healthAddress].every(Object.isFrozen)).toBe(true);
  });

  describe('the environment of a Pod', () => {
    const rows = [
      {
        name: 'IPv4',
        env: { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '6443' },
        server: 'https://10.96.0.1:6443',
      },
      {
        name: 'IPv6',
        env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' },
        server: 'https://[fd00::1]:443',
      },
      {
        name: 'a name and no port',
        env: { KUBERNETES_SERVICE_HOST: 'api.example.com' },
        server: 'https://api.example.com:443',
      },
    ];
    test.each(rows)('$name', ({ env, server }) => {
      expect(operatorConfig(inPod, '', env).kubernetes).toEqual({ server });
    });

    test('NODE_NAME names the node, --node is stronger', () => {
      const env = { NODE_NAME: 'node-2', KUBERNETES_SERVICE_HOST: '10.96.0.1' };
      expect(agentConfig(inPod, '', env).nodeName).toBe('node-2');
      expect(agentConfig({ ...inPod, node: 'node-1' }, '', env).nodeName).toBe('node-1');
    });

    test('a kubeconfig names its own API server', () => {
      expect(operatorConfig(flags, '', { KUBERNETES_SERVICE_HOST: '10.96.0.1' }).kubernetes).toEqual({
        kubeconfig: 'package.json',
      });
    });
  });

  test.each([
    [':10256', { host: undefined, port: 10_256 }],
    ['[::]:10256', { host: '::', port: 10_256 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('address %s', (healthAddress, expected) => {
    expect(operatorConfig({ ...flags, healthAddress }, '', {}).healthAddress).toEqual(expected);
  });

  describe('what a terminal is taken to show', () => {
    const xterm = { TERM: 'xterm', LANG: 'de_DE.UTF-8' };
    const rows = [
      {
        name: 'a terminal with a UTF-8 locale',
        isTerminal: true,
        env: xterm,
        terminal: { isInteractive: true, color: true, unicode: true },
      },
      {
        name: 'a pipe',
        isTerminal: false,
        env: xterm,
        terminal: { isInteractive: false, color: false, unicode: false },
      },
      {
        name: 'NO_COLOR',
        isTerminal: true,
        env: { ...xterm, NO_COLOR: '1' },
        terminal: { isInteractive: true, color: false, unicode: true },
      },
      {
        name: 'NO_COLOR that is empty does not count',
        isTerminal: true,
        env: { ...xterm, NO_COLOR: '' },
        terminal: { isInteractive: true, color: true, unicode: true },
      },
      {
        name: 'a terminal that knows no escape sequences',
        isTerminal: true,
        env: { ...xterm, TERM: 'dumb' },
        terminal: { isInteractive: false, color: false, unicode: false },
      },
      {
        name: 'LC_ALL is stronger than LANG',
        isTerminal: true,
        env: { ...xterm, LC_ALL: 'C' },
        terminal: { isInteractive: true, color: true, unicode: false },
      },
      {
        name: 'no locale at all',
        isTerminal: true,
        env: {},
        terminal: { isInteractive: true, color: true, unicode: false },
      },
    ];
    test.each(rows)('$name', ({ isTerminal, env, terminal }) => {
      const config = statusConfig({ output: 'text' }, { version: '', isTerminal }, env);
      expect(config).toMatchObject({ watch: false, terminal });
      expect(Object.isFrozen(config)).toBe(true);
    });
  });
});
