/**
 * Connections to one API server that are kept for further requests. When the certificates change that they are made
 * with, new ones are made with the new: the kubelet and kubeadm replace an authority or a client certificate while
 * programs run.
 */
import http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from './kubeConfig.ts';

export interface ConnectionPool {
  /** Where the next request gets its connection from; of `https` or `http`, as the server's address says. */
  agent(): http.Agent;
  /** Closes all connections, those in use too. */
  close(): void;
}

/** For idle connections: one that a firewall has forgotten must not be used again. */
const options = { keepAlive: true, timeout: 30_000 };

/** A pool without connections. */
export function createConnectionPool(config: Pick<KubeConfig, 'server' | 'tls'>): ConnectionPool {
  const isSecure = config.server.startsWith('https:');
  let tls = config.tls;
  const make = (): http.Agent => (isSecure ? new https.Agent({ ...options, ...tls }) : new http.Agent(options));
  let current = make();
  /** With connections that are in use, such as watches. */
  const retired = new Set<http.Agent>();

  function replace(): void {
    for (const agent of retired) if (socketsOf(agent.sockets).length === 0) retired.delete(agent);
    for (const socket of socketsOf(current.freeSockets)) socket.destroy();
    retired.add(current);
    current = make();
  }

  return {
    agent: () => {
      const now = config.tls;
      if (now !== tls) {
        tls = now;
        replace();
      }
      return current;
    },
    close: () => [current, ...retired].forEach((agent) => agent.destroy()),
  };
}

function socketsOf(sockets: http.Agent['sockets']): readonly NonNullable<http.Agent['sockets'][string]>[number][] {
  return Object.values(sockets).flatMap((each) => each ?? []);
}
