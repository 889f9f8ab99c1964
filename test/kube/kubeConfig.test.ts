import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-kubeconfig-'));
});
afterEach(() => rm(directory, { recursive: true }));

const write = (name: string, text: string): Promise<void> => writeFile(path.join(directory, name), text);

async function load(user: object, cluster: object = {}): Promise<ReturnType<typeof loadKubeConfig>> {
  const config = {
    'current-context': 'here',
    contexts: [
      { name: 'there', context: { cluster: 'b', user: 'b' } },
      { name: 'here', context: { cluster: 'a', user: 'a' } },
    ],
    clusters: [{ name: 'a', cluster: { server: 'https://10.0.0.1:6443/', ...cluster } }],
    users: [{ name: 'a', user }],
  };
  await write('config', JSON.stringify(config));
  return loadKubeConfig({ kubeconfig: path.join(directory, 'config') });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('loadKubeConfig, a kubeconfig file', () => {
  test('with everything inside', async () => {
    const config = await load(
      { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') },
      { 'certificate-authority-data': base64('ca'), 'tls-server-name': 'kubernetes' },
    );
    expect(config).toMatchObject({
      server: 'https://10.0.0.1:6443',
      tls: {
        ca: Buffer.from('ca'),
        cert: Buffer.from('cert'),
        key: Buffer.from('key'),
        servername: 'kubernetes',
        rejectUnauthorized: true,
      },
    });
    expect(config.token()).toBeUndefined();
  });

  test('with files beside it, named relative to it', async () => {
    await Promise.all([write('ca.crt', 'ca'), write('me.crt', 'cert'), write('me.key', 'key')]);
    const { tls } = await load(
      { 'client-certificate': 'me.crt', 'client-key': 'me.key' },
      { 'certificate-authority': path.join(directory, 'ca.crt') },
    );
    expect(tls).toMatchObject({ ca: Buffer.from('ca'), cert: Buffer.from('cert'), key: Buffer.from('key') });
  });

  test('with a token, or with a file of one that is read again each time', async () => {
    expect((await load({ token: 'abc' })).token()).toBe('abc');
    await write('token', 'first\n');
    const config = await load({ tokenFile: 'token' });
    expect(config.token()).toBe('first');
    await write('token', 'second\n');
    expect(config.token()).toBe('second');
  });

  test.each([
    {
      name: 'a login that we do not speak',
      user: { exec: { command: 'aws' } },
      cluster: {},
      error: /users\[\]\.user\.exec is not supported; use a client certificate or a token/,
    },
    { name: 'no server', user: {}, cluster: { server: undefined }, error: /has no server/ },
    { name: 'a file that is not there', user: { 'client-certificate': 'none.crt' }, cluster: {}, error: /none\.crt/ },
  ])('that cannot be used says why: $name', async ({ user, cluster, error }) => {
    await expect(load(user, cluster)).rejects.toThrow(error);
  });

  test('without a current context', async () => {
    await write('config', 'clusters: []');
    expect(() => loadKubeConfig({ kubeconfig: path.join(directory, 'config') })).toThrow(/current-context/);
  });
});

describe('loadKubeConfig, a service account', () => {
  test('gives its token, read again each time, and the authority', async () => {
    await Promise.all([write('ca.crt', 'ca'), write('token', 'first\n')]);
    const config = loadKubeConfig({ server: 'https://10.0.0.1:6443', serviceAccountDirectory: directory });
    expect(config).toMatchObject({ server: 'https://10.0.0.1:6443', tls: { ca: Buffer.from('ca') } });
    expect(config.token()).toBe('first');
    await write('token', 'second\n');
    expect(config.token()).toBe('second');
  });

  test('that is not there', () => {
    expect(() => loadKubeConfig({ server: 'https://10.0.0.1:6443', serviceAccountDirectory: directory })).toThrow(
      /token/,
    );
    expect(() => loadKubeConfig({ serviceAccountDirectory: directory })).toThrow(/--kubeconfig/);
  });
});
