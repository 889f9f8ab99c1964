import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, Server, type Socket } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import {
  type HttpResponse,
  type HttpServer,
  json,
  plain,
  startHttpServer,
} from '../../src/observability/httpServer.ts';
import { until } from '../support/until.ts';

let server: HttpServer | undefined;
afterEach(() => server?.stop());

const routes = {
  '/healthz': () => json(503, { healthy: false }),
  '/large': () => plain(200, 'x'.repeat(1_000_000)),
  '/later': async () => plain(200, await Promise.resolve('done')),
  '/broken': () => Promise.reject(new Error('secret words')),
};

async function listening(port = 0, retryMs = 20): Promise<{ base: string; refusals: string[] }> {
  const refusals: string[] = [];
  const started = startHttpServer({
    address: { host: '127.0.0.1', port },
    routes,
    retryMs,
    onUnavailable: (error) => refusals.push((error as NodeJS.ErrnoException).code ?? ''),
  });
  server = started;
  await until('it listens or cannot', () => started.port() !== undefined || refusals.length > 0);
  return { base: `http://127.0.0.1:${started.port()}`, refusals };
}

describe('startHttpServer', () => {
  test.each([
    { name: 'on a route', path: '/healthz', status: 503, body: '{"healthy":false}' },
    { name: 'on a route with a query', path: '/healthz?verbose', status: 503, body: '{"healthy":false}' },
    { name: 'on a route that takes its time', path: '/later', status: 200, body: 'done' },
    { name: 'where there is no route', path: '/nothing', status: 404, body: 'not found\n' },
    { name: 'on a name that every JavaScript object has', path: '/constructor', status: 404, body: 'not found\n' },
    { name: 'on a route that fails, without its words', path: '/broken', status: 500, body: 'internal error\n' },
    {
      name: 'to another method',
      path: '/healthz',
      method: 'POST',
      status: 405,
      body: 'only GET and HEAD are allowed\n',
    },
    { name: 'to HEAD, without a body', path: '/healthz', method: 'HEAD', status: 503, body: '' },
  ])('answers $name', async ({ path, method = 'GET', status, body }) => {
    const { base } = await listening();
    const response = await fetch(base + path, { method });
    expect({ status: response.status, body: await response.text() }).toEqual({ status, body });
  });

  test('listens on a port that another process holds as soon as it is free, and says once that it is held', async () => {
    const holder = http.createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const { refusals } = await listening(port);
    const tries = jest.spyOn(Server.prototype, 'listen');
    await until('it has tried some times', () => tries.mock.calls.length > 3);
    tries.mockRestore();
    expect(refusals).toEqual(['EADDRINUSE']);
    expect(server?.port()).toBeUndefined();
    await new Promise((resolve) => holder.close(resolve));
    await until('it has the port', () => server?.port() === port);
  });

  test('stops while it waits for a port', async () => {
    const holder = http.createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    await listening((holder.address() as AddressInfo).port);
    await server?.stop();
    await new Promise((resolve) => holder.close(resolve));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(server?.port()).toBeUndefined();
  });

  describe.each([
    { count: 1000, name: 'asks nothing', sent: '' },
    { count: 1000, name: 'does not end its request', sent: 'GET /healthz HTTP/1.1\r\nHost: a\r\n' },
    {
      count: 1000,
      name: 'does not send the body that it announces',
      sent: 'GET /later HTTP/1.1\r\nContent-Length: 9\r\n\r\n',
    },
    { count: 1000, name: 'is kept after an answer', sent: 'GET /later HTTP/1.1\r\nHost: a\r\n\r\n' },
    { count: 120, name: 'does not read its answer', sent: 'GET /large HTTP/1.1\r\nHost: a\r\n\r\n' },
  ])('with $count connections of which each $name', ({ count, sent }) => {
    test('answers a probe before that gives up', async () => {
      const { base } = await listening();
      const sockets = await connections(count, sent);
      const answers = await Promise.all(
        ['/healthz', '/later'].map((path) => fetch(base + path, { signal: AbortSignal.timeout(5000) })),
      );
      expect(answers.map(({ status }) => status)).toEqual([503, 200]);
      for (const socket of sockets) socket.destroy();
    });
  });

  test('takes the place of an idle connection, and of no request, for a further one', async () => {
    const pending: (() => void)[] = [];
    const answer = (): Promise<HttpResponse> =>
      new Promise((resolve) => pending.push(() => resolve(plain(200, 'late'))));
    server = startHttpServer({ address: { host: '127.0.0.1', port: 0 }, routes: { '/slow': answer } });
    await until('it listens', () => server?.port() !== undefined);
    const slow = fetch(`http://127.0.0.1:${server.port()}/slow`);
    await until('it is asked', () => pending.length === 1);
    const sockets = await connections(200, '');
    await until('100 are closed', () => sockets.filter(({ destroyed }) => destroyed).length >= 100);
    pending[0]?.();
    expect(await (await slow).text()).toBe('late');
    for (const socket of sockets) socket.destroy();
  });

  test('closes a connection that asks nothing', async () => {
    await listening();
    const [socket] = await connections(1, '');
    await once(socket?.resume() as Socket, 'close');
  });
});

/** Resolves when all are connected and have sent this. */
async function connections(count: number, sent: string): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(server?.port() ?? 0, '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(sent);
      return socket;
    }),
  );
}
