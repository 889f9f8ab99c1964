/** From here to the node and back: starts the program there, and gathers what it reports. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Variant } from '../bench/node.ts';
import { runInKernel } from '../uml/kernel.ts';
import type { NodeReport, StepReport } from './report.ts';
import { type ReplaceTask, stepsOf } from './task.ts';

/** On a machine that has other work to do; alone it takes a few minutes at most. */
const timeoutMs = 1_200_000;
const keptCharacters = 3000;

export interface Surroundings {
  /** For files; the caller removes it. */
  readonly directory: string;
  /** Ends a node in a namespace. One in a kernel is given up, and ends with this process. */
  readonly signal: AbortSignal;
  readonly onStep: (report: StepReport) => void;
}

/** Never throws for what happens on the node: the report says it. */
export async function runOnNode(task: ReplaceTask, { directory, signal, onStep }: Surroundings): Promise<NodeReport> {
  const steps: StepReport[] = [];
  const onLine = (line: object): void => {
    if (!('step' in line)) return;
    steps.push(line as StepReport);
    onStep(line as StepReport);
  };
  const file = join(directory, `task-${task.mode}-${task.variant}.json`);
  await writeFile(file, JSON.stringify(task));
  const run =
    task.mode === 'ipvs'
      ? inKernel(file, task.variant, { signal, onLine })
      : inNamespace(file, { directory, signal, onLine });
  const fault = await run.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const missing = stepsOf(task).slice(steps.length);
  const end = fault ?? (missing.length > 0 ? `not reached: ${missing.join('; ')}` : undefined);
  return { name: `${task.mode}, ${task.variant}`, steps, ...(end !== undefined && { fault: end }) };
}

interface Reading extends Pick<Surroundings, 'signal'> {
  readonly onLine: (line: object) => void;
}

async function inKernel(file: string, iptables: Variant, { signal, onLine }: Reading): Promise<void> {
  const interrupted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('interrupted')));
  });
  const program = '../replace/onNode.ts';
  await Promise.race([runInKernel({ program, args: [file], timeoutMs, memory: '2G', iptables, onLine }), interrupted]);
}

interface Namespace extends Reading {
  readonly directory: string;
}

/** All processes of the node end with the first one, and that with this process; mounts and network go with them. */
async function inNamespace(file: string, { directory, signal, onLine }: Namespace): Promise<void> {
  const temporary = join(directory, 'tmp');
  await mkdir(temporary, { recursive: true });
  const own = ['--net', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  const ownRun = ['sh', '-ec', 'mount -t tmpfs none /run; ip link set lo up; exec "$@"', 'sh'];
  const program = [process.execPath, join(import.meta.dirname, 'onNode.ts'), file];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...own, ...ownRun, ...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Jest's own are not for the program.
    env: { ...process.env, NODE_OPTIONS: '', TMPDIR: temporary },
    killSignal: 'SIGKILL',
    timeout: timeoutMs,
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-keptCharacters)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) onLine(JSON.parse(line) as object);
  });
  const [status] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', kill);
  if (status !== 0) throw new Error(`the program on the node ended with ${String(status)}: ${errors}`);
}
