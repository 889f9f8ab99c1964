/**
 * `proxyconfig operator` from the bundle, as the image starts it: before there is an API server, to its end.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa, type ResultPromise } from 'execa';
import { bundle } from '../../.ci/build.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';

describeWhere(['cluster'], 'runOperator', () => {
  let cluster: ClusterFixture;
  let operator: ResultPromise<{ reject: false; all: true }>;
  let directory = '';
  let health = '';
  let metrics = '';

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-operator-'));
    await bundle(directory);
    [health, metrics] = await Promise.all([freeAddress(), freeAddress()]);
  }, 120_000);
  afterAll(async () => {
    operator?.kill('SIGKILL');
    await operator;
    await cluster?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const statusOf = async (route: string): Promise<number | undefined> =>
    (await fetch(`http://${health}${route}`).catch(() => undefined))?.status;
  const answers = (route: string, status: number): Promise<boolean> =>
    waitFor(`${route} answers ${status}`, async () => (await statusOf(route)) === status, { timeoutMs: 20_000 });

  test('is healthy and not ready while there is no API server', async () => {
    await cluster.server.stopServer();
    const flags = ['--kubeconfig', cluster.server.kubeconfig, '--health-address', health, '--metrics-address', metrics];
    operator = execa(process.execPath, [path.join(directory, 'proxyconfig.js'), 'operator', ...flags], {
      reject: false,
      all: true,
    });
    await answers('/healthz', 200);
    expect(await statusOf('/readyz')).toBe(503);
  });

  test('does its work once there is one, and shows it in metrics', async () => {
    await cluster.server.startServer();
    await answers('/readyz', 200);
    await cluster.governedBy('node-1', 'all');
    const exposed = await (await fetch(`http://${metrics}/metrics`)).text();
    expect(exposed).toContain('proxyconfig_nodes{proxyconfig="all",state="effective"} 1');
    expect(exposed).toContain('proxyconfig_nodeproxy_writes_total 1');
  });

  test('ends on SIGTERM with exit status 0, and has logged JSON lines only', async () => {
    operator.kill('SIGTERM');
    const { exitCode, stdout } = await operator;
    expect(exitCode).toBe(0);
    const messages = stdout.split('\n').map((line) => (JSON.parse(line) as { message: string }).message);
    expect(messages).toEqual(expect.arrayContaining(['operator starts', 'everything is listed', 'operator stopped']));
  });
});

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return `127.0.0.1:${port}`;
}
