/**
 * A Service with a health-check node port, and who answers on that port on a test node.
 */
import type { AgentNode } from './agentNode.ts';

export const healthCheckNodePort = 31_777;

export const balanced = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'balanced', namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.77',
    externalTrafficPolicy: 'Local',
    externalIPs: ['203.0.113.50'],
    healthCheckNodePort,
    ports: [{ port: 80 }],
  },
};

const nodeAddresses = ['192.168.0.1', '192.168.5.1', 'fd00:168::1'];

/** Gives the node an interface with two addresses of IPv4 and one of IPv6. */
export async function addHealthCheckAddresses(host: AgentNode): Promise<void> {
  const add = nodeAddresses.map((each) => `ip address add ${each}/${each.includes(':') ? '64 nodad' : '24'} dev eth0`);
  const links = 'ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up';
  await host.run(['sh', '-ec', [links, ...add].join('; ')]);
}

/** `ADDRESS STATUS` of each address of the node that answers on the port, the loopback address first. */
export async function healthCheckAnswers(host: AgentNode): Promise<string[]> {
  const addresses = JSON.stringify(['127.0.0.1', ...nodeAddresses]);
  const script = `const ask = (host) => fetch('http://' + (host.includes(':') ? '[' + host + ']' : host) + ':${healthCheckNodePort}/').then(({ status }) => [host + ' ' + status], () => []);
    console.log(JSON.stringify((await Promise.all(${addresses}.map(ask))).flat()))`;
  return JSON.parse(await host.run([process.execPath, '--input-type=module', '--eval', script])) as string[];
}
