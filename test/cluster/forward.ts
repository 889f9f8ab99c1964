/**
 * A door into the cluster: a listening socket of the machine's network namespace, served by a process in the cluster's.
 * A socket stays in the namespace that it was made in; so nothing of the machine's network changes.
 *
 * As a program, run by startForward() in the cluster's namespace: `node forward.ts HOST PORT`.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface ForwardOptions {
  /** What to start a process in the cluster's namespaces with. */
  readonly enter: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly log: string;
}

/** Forwards a port of this machine's loopback to an address in the cluster; answers the port. */
export async function startForward({ enter, host, port, log }: ForwardOptions): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const listeningPort = (server.address() as AddressInfo).port;
  const [file, ...args] = [...enter, process.execPath, import.meta.filename, host, String(port)];
  const output = openSync(log, 'a');
  const child = spawn(file, args, { detached: true, stdio: ['ignore', output, output, 'ipc'] });
  closeSync(output);
  const answer = Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error(`forwarder ended, see ${log}`))),
  ]);
  child.send('serve', server);
  await answer;
  child.disconnect();
  child.unref();
  server.close();
  return listeningPort;
}

function serve(server: Server, host: string, port: number): void {
  server.on('connection', (client: Socket) => {
    const target = connect({ host, port, noDelay: true });
    client.setNoDelay(true);
    client.pipe(target).pipe(client);
    // Whichever side ends badly, the other one hears of it.
    client.on('error', () => target.destroy());
    target.on('error', () => client.resetAndDestroy());
    target.on('close', () => client.destroy());
    client.on('close', () => target.destroy());
  });
}

function main([host = '', port = '']: readonly string[]): void {
  process.on('message', (_message, server) => {
    serve(server as Server, host, Number(port));
    process.send?.('serving');
  });
}

if (import.meta.main) main(process.argv.slice(2));
