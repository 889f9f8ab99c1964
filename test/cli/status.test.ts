/**
 * `proxyconfig status` as a process against a real API server, whose objects a test writes in the operator's and the
 * agent's place.
 */
import { rm, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { execa, type ResultPromise } from 'execa';
import { parse, parseAllDocuments } from 'yaml';
import type { StatusView } from '../../src/cli/status/view.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { waitFor } from '../support/waitFor.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { describeWhere } from '../support/requirements.ts';
import { proxyconfig, type Run } from './proxyconfig.ts';

const ours = '/apis/proxyconfig.dev/v1alpha1';
const contentType = 'application/merge-patch+json';
const lastTransitionTime = '2026-01-01T00:00:00Z';

describeWhere(['cluster'], 'proxyconfig status', () => {
  let cluster: ClusterFixture;
  let kubeconfig = '';
  const watches: Watch[] = [];

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    kubeconfig = cluster.server.kubeconfig;
  }, 120_000);
  afterEach(async () => {
    for (const { process } of watches) process.kill('SIGKILL');
    await Promise.all(watches.splice(0).map(({ process }) => process));
  });
  afterAll(() => cluster?.stop());

  const status = (...args: string[]): Promise<Run> => proxyconfig(['status', '--kubeconfig', kubeconfig, ...args]);

  /** Ended after the test, whatever happens in it. */
  function watch(command: string, args: readonly string[], env: Record<string, string> = {}): Watch {
    const started = new Watch(command, args, env);
    watches.push(started);
    return started;
  }

  /** The operator's word on the present generation. */
  async function operatorSays(name: string, verdict: 'Ready' | 'Reconciling', ready: number): Promise<void> {
    const { metadata } = await cluster.config(name);
    const reason = verdict === 'Ready' ? 'AllNodesReady' : 'RollingOut';
    const conditions = ['Ready', 'Reconciling', 'Stalled'].map((type) => ({
      type,
      status: type === verdict ? 'True' : 'False',
      reason,
      message: `${ready} of 2`,
      lastTransitionTime,
    }));
    const body = {
      status: {
        observedGeneration: metadata.generation,
        conditions,
        nodes: { matched: 2, effective: 2, updated: ready, ready },
        modes: { iptables: 2 },
      },
    };
    await cluster.client.send('PATCH', `${ours}/proxyconfigs/${name}/status`, { contentType, body });
  }

  async function addNodeProxy(node: string, config: string): Promise<void> {
    const { metadata } = await cluster.config(config);
    const spec = {
      configRef: { name: config, uid: metadata.uid, generation: metadata.generation },
      revision: 'aaaabbbbcccc',
      config: { mode: 'iptables' },
    };
    await cluster.client.send('POST', `${ours}/nodeproxies`, {
      body: { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: node }, spec },
    });
  }

  test('without a ProxyConfig it says so, with status 3', async () => {
    const run = await status();
    expect(run).toMatchObject({ exitCode: 3, stderr: '' });
    expect(run.stdout).toContain('There is no ProxyConfig.');
  });

  test('a ProxyConfig that nobody looked at is not Ready, whatever it says', async () => {
    await cluster.addConfig('default');
    await cluster.addConfig('edge', { priority: 10 });
    const run = await status();
    expect(run).toMatchObject({ exitCode: 3, stderr: '' });
    expect(run.stdout).toContain('default  iptables  Unseen (NotObserved)');
    expect(run.stdout).not.toContain('\u001B');
  });

  test('all of them, or the one named, decide about the exit status', async () => {
    await operatorSays('default', 'Ready', 2);
    await operatorSays('edge', 'Reconciling', 1);
    await addNodeProxy('node-1', 'edge');
    await cluster.agentRefuses('node-1', 'ModeNotAvailable', 'no mode ipvs here; set spec.mode to iptables');
    expect((await status()).exitCode).toBe(3);
    const run = await status('edge');
    expect(run.exitCode).toBe(3);
    expect(run.stdout).toContain('1 of 2 nodes up to date, 1 to go');
    expect(run.stdout).toMatch(
      /node-1 {2}Degraded {2}ModeNotAvailable.*\n {4}no mode ipvs here; set spec.mode to iptables\n/,
    );
    expect(await status('default')).toMatchObject({
      exitCode: 0,
      stderr: '',
      stdout: 'default  iptables  Ready\n  [########################]  2 of 2 nodes up to date\n',
    });
  });

  test('json and yaml hold the same', async () => {
    const [json, yaml] = await Promise.all([status('-o', 'json'), status('-o', 'yaml')]);
    const view = JSON.parse(json.stdout) as StatusView;
    expect(parse(yaml.stdout)).toEqual(view);
    expect(view.proxyConfigs.map(({ name, state }) => [name, state])).toEqual([
      ['default', 'Ready'],
      ['edge', 'Reconciling'],
    ]);
    expect(view.proxyConfigs[1]?.problems).toMatchObject([
      { node: 'node-1', state: 'Degraded', reason: 'ModeNotAvailable' },
    ]);
  });

  test('finds the cluster as kubectl does', async () => {
    const fromEnvironment = await proxyconfig(['status', 'default'], { env: { KUBECONFIG: kubeconfig } });
    expect(fromEnvironment.exitCode).toBe(0);
    expect((await status('default', '--context', 'local')).exitCode).toBe(0);
    const wrongContext = await status('--context', 'staging');
    expect(wrongContext).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: 'proxyconfig: --context staging: there is no such context, but local\n',
    });
  });

  test('is a plug-in of kubectl', async () => {
    const { kubectl } = await ensureBinaries({ which: ['kubectl'] });
    const { exitCode, stdout } = await execa(
      kubectl,
      ['proxyconfig', 'status', 'default', '--kubeconfig', kubeconfig],
      { preferLocal: true, reject: false },
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain('default  iptables  Ready');
  });

  test('credentials of a plug-in are used, which kubeconfigs of clouds name', async () => {
    const config = JSON.parse(await cluster.kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
      users: { user: Record<string, string> }[];
    };
    const { 'client-certificate-data': cert = '', 'client-key-data': key = '' } = config.users[0]?.user ?? {};
    const answer = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { clientCertificateData: decoded(cert), clientKeyData: decoded(key) },
    };
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'printf',
      args: ['%s', JSON.stringify(answer)],
      interactiveMode: 'Never',
    };
    const file = `${kubeconfig}.exec`;
    await writeFile(file, JSON.stringify({ ...config, users: [{ name: 'local', user: { exec } }] }), { mode: 0o600 });
    const run = await proxyconfig(['status', 'default', '--kubeconfig', file]);
    await rm(file);
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('without an answer it ends with status 1 and a reason', async () => {
    expect(await status('nope')).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'proxyconfig: there is no ProxyConfig nope, but default, edge\n',
    });
    const stranger = await proxyconfig(['status', '--kubeconfig', await cluster.server.kubeconfigFor('stranger')]);
    expect(stranger).toMatchObject({ exitCode: 1, stdout: '' });
    expect(stranger.stderr).toMatch(
      /^proxyconfig: the API server at https:\S+ refuses: .*"stranger" cannot list resource/,
    );
  });

  test('on a terminal it has colors, but not with NO_COLOR', async () => {
    const command = `src/main.ts status default --kubeconfig ${kubeconfig}`;
    expect(await onTerminal(command, {})).toContain('\u001B[32mReady\u001B[39m');
    const plain = await onTerminal(command, { NO_COLOR: '1' });
    expect(plain).toContain('[████████████████████████]  2 of 2 nodes up to date');
    expect(plain).not.toContain('\u001B');
    expect(await onTerminal(command, { TERM: 'dumb' })).not.toContain('\u001B');
  });

  test('--watch on a terminal draws in place and gives the terminal back', async () => {
    // exec: a shell that stays in between is interrupted too, and not every shell then hands on how its command ended.
    const watching = watch(
      'script',
      ['-qec', `exec src/main.ts status edge --watch --kubeconfig ${kubeconfig}`, '/dev/null'],
      terminal,
    );
    await watching.tells('1 of 2 nodes up to date');
    await operatorSays('edge', 'Ready', 2);
    await watching.tells('2 of 2 nodes up to date');
    watching.process.stdin?.write('\u0003');
    expect(await watching.process).toMatchObject({ exitCode: 0 });
    expect(watching.output.startsWith('\u001B[?1049h')).toBe(true);
    expect(watching.output.slice(watching.output.indexOf('\u001B[?1049l'))).toContain('2 of 2 nodes up to date');
  });

  test('--watch in a pipe writes a line per change, and waits for an API server that goes away', async () => {
    const watching = watch('src/main.ts', ['status', 'edge', '--watch', '--kubeconfig', kubeconfig]);
    await watching.tells('edge: Ready (AllNodesReady), 2 of 2 nodes up to date');
    await watching.tells('edge: node-1: Degraded (ModeNotAvailable): no mode ipvs here');
    await cluster.agentApplies('node-1');
    await watching.tells('edge: node-1: as wanted');
    await cluster.server.stopServer();
    await watching.tells('does not answer; trying again, what is shown may be old');
    expect(await status('edge')).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: `proxyconfig: the API server at ${cluster.server.url} does not answer\n`,
    });
    const late = watch('src/main.ts', ['status', '--watch', '--kubeconfig', kubeconfig]);
    await late.tells('does not answer; trying again\n');
    late.process.kill('SIGINT');
    expect(await late.process).toMatchObject({ exitCode: 1, stdout: '' });
    await cluster.server.startServer();
    await watching.tells('the API server answers again');
    await operatorSays('edge', 'Reconciling', 0);
    await watching.tells('edge: Reconciling (RollingOut), 0 of 2 nodes up to date');
    watching.process.kill('SIGINT');
    expect(await watching.process).toMatchObject({ exitCode: 3 });
  }, 90_000);

  test('--watch -o yaml and json give a document for each view', async () => {
    const json = watch('src/main.ts', ['status', '--watch', '-o', 'json', '--kubeconfig', kubeconfig]);
    const yaml = watch('src/main.ts', ['status', '--watch', '-o', 'yaml', '--kubeconfig', kubeconfig]);
    await Promise.all([json, yaml].map((watching) => watching.tells('Reconciling')));
    await operatorSays('edge', 'Ready', 2);
    await Promise.all(
      [json, yaml].map((watching) => watching.tells(/AllNodesReady[^]*AllNodesReady[^]*AllNodesReady/)),
    );
    for (const { process } of [json, yaml]) process.kill('SIGTERM');
    await Promise.all([json.process, yaml.process]);
    const views = json.output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as StatusView);
    expect(views.map(({ proxyConfigs }) => proxyConfigs[1]?.state)).toEqual(['Reconciling', 'Ready']);
    expect([...parseAllDocuments(yaml.output)].map((document) => document.toJS() as unknown)).toEqual(views);
  });

  test('a cluster without the product is told from one that does not answer', async () => {
    await cluster.kubectl(['delete', '-k', 'crds']);
    const run = await status();
    expect(run).toMatchObject({ exitCode: 1, stdout: '' });
    expect(run.stderr).toContain('has no ProxyConfigs: the product is not installed there (kubectl apply -k .)');
  });
});

const terminal = { TERM: 'xterm', LC_ALL: 'C.UTF-8', NO_COLOR: '' };

/** What a command writes to a terminal; `script` gives it one. */
async function onTerminal(command: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await execa('script', ['-qec', command, '/dev/null'], { env: { ...terminal, ...env } });
  return stdout;
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}

/** A process that goes on, and all that it has written so far. */
class Watch {
  readonly process: ResultPromise<{ reject: false }>;
  output = '';

  constructor(command: string, args: readonly string[], env: Record<string, string>) {
    this.process = execa(command, args, { reject: false, env });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  tells(text: string | RegExp): Promise<unknown> {
    const isTold = (): boolean => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output));
    return waitFor(`the output holds ${String(text)}`, () => Promise.resolve(isTold()), {
      timeoutMs: 20_000,
      everyMs: 20,
      explain: () => this.output,
    });
  }
}
