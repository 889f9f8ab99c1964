/**
 * Keeps connections that ask nothing, or do not read their answers, from taking the place of those that do.
 */
import type http from 'node:http';
import type { Socket } from 'node:net';

/**
 * At most `max` connections are open at a time: a further one is taken, and another is closed for it. That is the one
 * that has been idle for longest; where fewer are idle than wait for a response, the one that has waited for longest,
 * so that a request that is just arriving is not the one that is cut. Idle is a connection without a whole request.
 */
export function limitConnections(server: http.Server, max: number): void {
  // A Set keeps the order of insertion, so the oldest is the first.
  const idle = new Set<Socket>();
  const busy = new Set<Socket>();
  const forget = (socket: Socket): void => {
    idle.delete(socket);
    busy.delete(socket);
  };
  server.on('connection', (socket) => {
    if (idle.size + busy.size >= max) closeOldest(idle.size > busy.size ? idle : busy);
    idle.add(socket);
    socket.once('close', () => forget(socket));
  });
  server.on('request', ({ socket }, response) => {
    idle.delete(socket);
    busy.add(socket);
    response.once('close', () => {
      busy.delete(socket);
      if (!socket.destroyed) idle.add(socket);
    });
  });
}

function closeOldest(sockets: Set<Socket>): void {
  const [oldest] = sockets;
  if (oldest === undefined) return;
  // Now, and not when it is closed: further connections may come before that.
  sockets.delete(oldest);
  oldest.destroy();
}
