/**
 * Certificates that are replaced while a client runs: by the kubelet in a Pod's service account, by kubeadm and the
 * kubelet beside a kubeconfig file.
 */
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { loadUserKubeConfig } from '../../src/cli/userKubeConfig.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { type KubeConfigSource, loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { type Authority, type Certificate, createAuthority } from '../cluster/certificates.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';

async function pem({ certificate, key }: Certificate): Promise<{ cert: string; key: string }> {
  return { cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
}

const authorityOf = (authority: Authority): Promise<string> => readFile(authority.certificate, 'utf8');

describeWhere(['cluster', 'faketime'], 'rotation of certificates', () => {
  let directory: string;
  let authorities: readonly [Authority, Authority];
  let server: https.Server;
  let client: KubeClient | undefined;
  let clients: string[];
  let open: number;

  const inDirectory = (name: string): string => path.join(directory, name);
  /** As a server presents itself that authority `index` has issued, and whose clients either has. */
  async function serverIdentity(index: 0 | 1): Promise<https.ServerOptions> {
    const issued = await authorities[index].issue('server', { commonName: 'server', addresses: ['127.0.0.1'] });
    return { ...(await pem(issued)), ca: await Promise.all(authorities.map(authorityOf)), requestCert: true };
  }

  async function newAuthority(name: string): Promise<Authority> {
    await mkdir(inDirectory(name));
    return createAuthority(inDirectory(name));
  }

  /** As the kubelet does: in one step. */
  async function replaceFile(name: string, text: string): Promise<void> {
    await writeFile(inDirectory(`${name}.new`), text);
    await rename(inDirectory(`${name}.new`), inDirectory(name));
  }

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-rotation-'));
    authorities = [await newAuthority('one'), await newAuthority('two')];
    [clients, open] = [[], 0];
    const options = { ...(await serverIdentity(0)), rejectUnauthorized: false };
    server = https.createServer(options, (request, response) => {
      clients.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN?.toString() ?? '');
      if (request.url?.includes('watch=true') !== true) response.end('{"kind":"ConfigMap"}');
      else response.write('{"type":"BOOKMARK","object":{}}\n');
    });
    server.on('connection', (socket) => {
      open += 1;
      socket.on('close', () => (open -= 1));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });

  afterEach(async () => {
    await client?.close();
    server.closeAllConnections();
    await once(server.close(), 'close');
    await rm(directory, { recursive: true });
  });

  const address = (): string => `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const get = (): Promise<unknown> => (client as KubeClient).get('/api/v1/namespaces/ns/configmaps/a');

  /** Connections that the server has closed may be used once more before the client knows. */
  const served = (): Promise<void> =>
    until('a request is served', () =>
      get().then(
        () => true,
        () => false,
      ),
    );
  const refused = (): Promise<void> =>
    until('the certificate is refused', () =>
      get().then(
        () => false,
        (error: unknown) => String(error).includes('certificate'),
      ),
    );

  function connect(source: KubeConfigSource): void {
    client = createKubeClient(loadKubeConfig({ server: address(), ...source }));
  }

  async function rotateServer(): Promise<void> {
    server.setSecureContext(await serverIdentity(1));
    server.closeAllConnections();
  }

  async function serviceAccount(): Promise<void> {
    await replaceFile('token', 'secret');
    await replaceFile('ca.crt', await authorityOf(authorities[0]));
    connect({ serviceAccountDirectory: directory });
    await get();
  }

  async function kubeconfig(user: object, cluster: object = {}): Promise<void> {
    await replaceFile(
      'config',
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'a', user: 'u' } }],
        clusters: [{ name: 'a', cluster: { 'certificate-authority': 'ca.crt', ...cluster } }],
        users: [{ name: 'u', user }],
      }),
    );
  }

  async function inline(authority: Authority): Promise<void> {
    const data = Buffer.from(await authorityOf(authority)).toString('base64');
    return kubeconfig({ token: 'secret' }, { 'certificate-authority-data': data });
  }

  test("a Pod's ca.crt that is replaced is used by the next request", async () => {
    await serviceAccount();
    await rotateServer();
    await refused();
    await replaceFile('ca.crt', await authorityOf(authorities[1]));
    await get();
  });

  test('while ca.crt is not there, the last one is used', async () => {
    await serviceAccount();
    await rm(inDirectory('ca.crt'));
    server.closeAllConnections();
    await served();
    await rotateServer();
    await replaceFile('ca.crt', await authorityOf(authorities[1]));
    await get();
  });

  test('a connection is used again as long as nothing changes, and a watch goes on when something does', async () => {
    await serviceAccount();
    await get();
    expect(open).toBe(1);
    const stop = new AbortController();
    const events = (client as KubeClient).watch('/api/v1/configmaps', {}, stop.signal)[Symbol.asyncIterator]();
    await events.next();
    await get();
    expect(open).toBe(2);
    await replaceFile('ca.crt', (await Promise.all(authorities.map(authorityOf))).join(''));
    await get();
    await until('the idle connection from before is closed', () => open === 2);
    const next = events.next();
    stop.abort();
    expect(await next).toMatchObject({ done: true });
  });

  test.each(['beside the kubeconfig', 'inside of it'])(
    'a client certificate %s that is replaced is used',
    async (where) => {
      await replaceFile('ca.crt', await authorityOf(authorities[0]));
      const rotate = async (commonName: string): Promise<void> => {
        const { cert, key } = await pem(await authorities[0].issue(commonName, { commonName }));
        if (where === 'inside of it') {
          const [certificate, privateKey] = [cert, key].map((text) => Buffer.from(text).toString('base64'));
          return kubeconfig({ 'client-certificate-data': certificate, 'client-key-data': privateKey });
        }
        await replaceFile('client.crt', cert);
        await replaceFile('client.key', key);
        return kubeconfig({ 'client-certificate': 'client.crt', 'client-key': 'client.key' });
      };
      await rotate('first');
      connect({ kubeconfig: inDirectory('config') });
      await get();
      await rotate('second');
      await get();
      expect(clients).toEqual(['first', 'second']);
    },
  );

  test("a kubeconfig's authority that is replaced is used, and one that cannot be read just now changes nothing", async () => {
    await inline(authorities[0]);
    connect({ kubeconfig: inDirectory('config') });
    await get();
    await replaceFile('config', 'clusters: [');
    server.closeAllConnections();
    await served();
    await rotateServer();
    await refused();
    await inline(authorities[1]);
    await get();
  });

  test("a person's authority and client certificate are used once they are asked for again", async () => {
    const files = async (name: string, authority: Authority): Promise<void> => {
      const { cert, key } = await pem(await authority.issue(name, { commonName: name }));
      await replaceFile('ca.crt', await authorityOf(authority));
      await replaceFile('client.crt', cert);
      await replaceFile('client.key', key);
      const user = { 'client-certificate': inDirectory('client.crt'), 'client-key': inDirectory('client.key') };
      await kubeconfig(user, { server: address() });
    };
    await files('first', authorities[0]);
    const user = await loadUserKubeConfig({ kubeconfig: inDirectory('config') });
    client = createKubeClient(user);
    await get();
    await rotateServer();
    await files('second', authorities[1]);
    await refused();
    user.refresh();
    await served();
    expect(clients).toEqual(['first', 'second']);
  });
});
