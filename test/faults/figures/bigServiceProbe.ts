/**
 * @module Runs on the node: changes a neighbor's endpoint again and again, meanwhile puts up the big Service where it
 * is asked to, and prints as JSON how long what took. Arguments: where `kubectl proxy` listens, how many changes are
 * measured while nothing else happens, ports and endpoints of the big Service; 0 for none.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from 'node:net';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { slice, withoutIdentity } from '../../support/objects.ts';
import { endpoints, web } from '../faultNode.ts';
import { bigAddress, bigService, bigSlices, firstPortOf, targetPortOf } from '../../support/bigService.ts';

const [api, ...numbers] = process.argv.slice(2);
const [changes = 0, ports = 0, endpointCount = 0] = numbers.map(Number);
const group = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

export interface BigServiceTimes {
  /** Of each change of a neighbor while nothing else changes, in ms. */
  readonly quiet: readonly number[];
  /** Of each one while the big Service is written. */
  readonly busy: readonly number[];
  readonly allPortsAnswerMs: number;
  readonly livezAnswers: number;
  readonly livezFailures: number;
}

async function send(method: string, path: string, body: object, type = 'application/json'): Promise<void> {
  const response = await fetch(`${api}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { 'Content-Type': type },
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

/** What answers a new connection, or undefined where nothing does within the time. */
async function answerOf(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port });
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket
      .setEncoding('utf8')
      .on('data', (piece: string) => (text += piece))
      .on('error', () => undefined)
      .on('close', () => {
        clearTimeout(timer);
        resolve(text === '' ? undefined : text);
      });
  });
}

async function listen(port: number, host?: string): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => undefined).end(host ?? 'any'));
  await once(server.listen({ port, ...(host !== undefined && { host }) }), 'listening');
}

let generation = 0;

/** From the request until a connection reaches the new endpoint, in ms. */
async function changeNeighbor(): Promise<number> {
  generation += 1;
  const address = endpoints[generation % endpoints.length] ?? '';
  const started = performance.now();
  const object = withoutIdentity(slice('web', { addresses: [address] }));
  await send('PATCH', `${group}/web-1?fieldManager=probe&force=true`, object, 'application/apply-patch+yaml');
  // Not more often: it would take the CPU from the agent and its tools.
  while ((await answerOf(web, 80, 1000)) !== address) await sleep(5);
  return performance.now() - started;
}

async function putUp(): Promise<void> {
  const size = { ports, endpoints: endpointCount };
  await send('POST', '/api/v1/namespaces/default/services', bigService(size));
  for (const each of bigSlices(size)) await send('POST', group, each);
}

async function untilAllAnswer(): Promise<void> {
  for (let index = ports - 1; index >= 0; index -= 1)
    while ((await answerOf(bigAddress, firstPortOf(index), 300)) === undefined) await sleep(50);
}

async function livez(): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ port: 10_256, path: '/livez', agent: false, timeout: 1000 }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    request.on('timeout', () => request.destroy()).on('error', () => resolve(false));
  });
}

/** Neighbors are changed and `/livez` is asked for as long as the action takes. */
async function measuredWhile(
  action: () => Promise<void>,
): Promise<Omit<BigServiceTimes, 'quiet' | 'allPortsAnswerMs'> & { readonly tookMs: number }> {
  const started = performance.now();
  let tookMs: number | undefined;
  const busy: number[] = [];
  const alive: boolean[] = [];
  const isRunning = (): boolean => tookMs === undefined;
  const changing = async (): Promise<void> => {
    while (isRunning()) busy.push(await changeNeighbor());
  };
  const asking = async (): Promise<void> => {
    for (; isRunning(); await sleep(100)) alive.push(await livez());
  };
  const acting = async (): Promise<void> => {
    await action();
    tookMs = performance.now() - started;
  };
  await Promise.all([acting(), changing(), asking()]);
  const livezFailures = alive.filter((each) => !each).length;
  return { busy, livezAnswers: alive.length, livezFailures, tookMs: tookMs ?? 0 };
}

await Promise.all(endpoints.map((address) => listen(8080, address)));
for (let index = 0; index < ports; index += 1) await listen(targetPortOf(index));
const putUpTimes =
  ports === 0
    ? undefined
    : await measuredWhile(async () => {
        await putUp();
        await untilAllAnswer();
      });
const quiet: number[] = [];
for (let index = 0; index < changes; index += 1) {
  quiet.push(await changeNeighbor());
  await sleep(200);
}
const { busy = [], livezAnswers = 0, livezFailures = 0, tookMs = 0 } = putUpTimes ?? {};
const times: BigServiceTimes = { quiet, busy, allPortsAnswerMs: tookMs, livezAnswers, livezFailures };
process.stdout.write(JSON.stringify(times), () => process.exit());
