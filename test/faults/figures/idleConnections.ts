/** Probes of an agent while 1,000 connections to each of its ports ask nothing. */
import { once } from 'node:events';
import { AgentNode } from '../../agent/agentNode.ts';
import { balanced, healthCheckNodePort } from '../../agent/healthCheckNodePort.ts';
import { node as nodeObject, withoutIdentity } from '../../support/objects.ts';
import type { Figures, Load } from './figures.ts';

const connectionsPerPort = 1000;
const probes = 20;
const targets = [
  [10_256, '/livez'],
  [10_256, '/readyz'],
  [10_256, '/healthz'],
  [10_249, '/metrics'],
  [healthCheckNodePort, '/'],
] as const;

export const idleConnections: Load = {
  name: 'idle-connections',
  description: `an agent's ports with ${connectionsPerPort} connections each that ask nothing and come back when closed`,
  measure,
};

async function measure(isLoaded: boolean): Promise<Figures> {
  const node = await AgentNode.start();
  try {
    await node.kubectl(['apply', '-k', 'crds']);
    await node.apply(withoutIdentity(nodeObject(node.name, ['192.168.0.1'])), balanced);
    node.startAgent();
    await node.untilRules('the balanced Service is there', (rules) => rules.includes('default/balanced'), 60_000);
    const closeConnections = isLoaded ? await openConnections(node) : undefined;
    const answers = JSON.parse(await run(node, probeProgram)) as Figures;
    return { ...answers, 'connections of the load': (await closeConnections?.()) ?? '0' };
  } finally {
    await node.stop();
  }
}

function run(node: AgentNode, program: string): Promise<string> {
  return node.run([process.execPath, '--input-type=module', '--eval', program]);
}

/**
 * Resolves when as many connections were made as shall stand; they are kept up until the function is called that this
 * returns, which gives how many were made in all.
 */
async function openConnections(node: AgentNode): Promise<() => Promise<string>> {
  const load = node.spawn([process.execPath, '--input-type=module', '--eval', loadProgram]);
  await once(load.stdout, 'data');
  return async () => {
    load.stdin.end();
    const [made] = (await once(load.stdout, 'data')) as [Buffer];
    return made.toString().trim();
  };
}

/** A connection that is closed is made anew 0.1 s later. Ends with its standard input, and so with the node. */
const loadProgram = `
import { connect } from 'node:net';
const ports = ${JSON.stringify([...new Set(targets.map(([port]) => port))])};
let made = 0;
const open = (port) => connect(port, '127.0.0.1', () => { if (++made === ports.length * ${connectionsPerPort}) console.log(made); })
  .on('error', () => {}).on('close', () => setTimeout(open, 100, port)).resume();
for (const port of ports) for (let index = 0; index < ${connectionsPerPort}; index++) open(port);
process.stdin.resume().on('end', () => process.stdout.write(String(made), () => process.exit()));`;

/** Each probe on a connection of its own, as the kubelet makes them; one that is not answered within 1 s has failed. */
const probeProgram = `
import http from 'node:http';
const ask = (port, path) => new Promise((resolve) => {
  const began = performance.now();
  const request = http.get({ port, path, host: '127.0.0.1', agent: false, timeout: 1000 }, (response) =>
    response.resume().on('end', () => resolve(performance.now() - began)));
  request.on('timeout', () => request.destroy()).on('error', () => resolve(undefined));
});
const figures = {};
for (const [port, path] of ${JSON.stringify(targets)}) {
  const times = [];
  for (let index = 0; index < ${probes}; index++) times.push(await ask(port, path));
  const answered = times.filter((time) => time !== undefined).sort((one, other) => one - other);
  const name = port + path;
  figures[name + ' answered within 1 s'] = answered.length + ' of ' + times.length;
  figures[name + ' slowest answer'] = answered.length === 0 ? '-' : Math.round(answered.at(-1)) + ' ms';
}
console.log(JSON.stringify(figures));`;
