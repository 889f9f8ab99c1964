/**
 * What starting tools does to the process that starts them: tried in processes of their own, because jest stands
 * between a test and its process.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, describe, test } from '@jest/globals';
import { execa } from 'execa';

const root = path.join(import.meta.dirname, '..', '..');
const source = path.join(root, 'src', 'system');

/** What a program prints that has `run(file, args, more)`, on one of the two ways to start a tool. */
async function printed(startTool: string, script: string, env: Record<string, string> = {}): Promise<string> {
  const imports = `
    import { runCommand } from '${source}/command.ts';
    import { ${startTool} } from '${source}/${startTool}.ts';
    const run = (file, args, more) => runCommand({ file, args, timeoutMs: 10_000, ...more }, ${startTool});`;
  const { all } = await execa(process.execPath, ['--input-type=module', '--eval', `${imports}\n${script}`], {
    all: true,
    env,
  });
  return all;
}

describe.each(['spawnTool', 'execaTool'])('%s', (startTool) => {
  test('leaves no listener in the process, neither while tools run nor after', async () => {
    const script = `
      import { once } from 'node:events';
      const counts = () => JSON.stringify(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
      await run('/bin/true', []);
      const before = counts();
      let lines = 0;
      const stop = new AbortController();
      const started = new Promise((resolve) => {
        const onLine = () => ++lines === 20 && resolve();
        const runs = Array.from({ length: 20 }, () => run('/bin/sh', ['-c', 'echo up; exec sleep 60'], { onLine, signal: stop.signal }));
        globalThis.ended = Promise.allSettled(runs);
      });
      await started;
      console.log(counts() === before);
      stop.abort();
      console.log(new Set((await ended).map(({ reason }) => reason.reason)).size, counts() === before);`;
    expect(await printed(startTool, script)).toBe('true\n1 true');
  });

  test('says nothing by itself, whatever the environment asks for', async () => {
    const script = `console.log(await run('/bin/echo', ['words']))`;
    expect(await printed(startTool, script, { NODE_DEBUG: 'execa' })).toBe('words\n');
  });

  test('works in a directory that is gone', async () => {
    const script = `
      import { mkdtempSync, rmdirSync } from 'node:fs';
      process.chdir(mkdtempSync('/tmp/proxyconfig-gone-'));
      rmdirSync(process.cwd());
      console.log(await run('/bin/echo', ['words']))`;
    expect(await printed(startTool, script)).toBe('words\n');
  });

  test('fails as any other where the process has no file descriptor left', async () => {
    const script = `
      import { openSync } from 'node:fs';
      await run('/bin/true', []);
      try { for (;;) openSync('/dev/null'); } catch {}
      const { name, reason, message } = await run('/bin/cat', [], { input: ['x'] }).catch((error) => error);
      process.stdout.write(JSON.stringify({ name, reason, message }));`;
    const limited = `import { execFileSync } from 'node:child_process'; execFileSync('prlimit', ['--pid', process.pid, '--nofile=100']); ${script}`;
    expect(JSON.parse(await printed(startTool, limited))).toEqual({
      name: 'CommandError',
      reason: 'Failed',
      message: expect.stringMatching(/^\/bin\/cat could not be run \(E[MN]FILE\)$/),
    });
  });

  test('nothing of it keeps the process from ending', async () => {
    const script = `await run('/bin/sh', ['-c', 'exit 0'], { timeoutMs: 60_000 }); console.log('done');`;
    const started = performance.now();
    expect(await printed(startTool, script)).toBe('done');
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

test('no other file of the product starts a program', async () => {
  const files = (await readdir(path.join(root, 'src'), { recursive: true })).filter((file) => file.endsWith('.ts'));
  const starting: string[] = [];
  for (const file of files) {
    const text = await readFile(path.join(root, 'src', file), 'utf8');
    if (/'(?:node:)?child_process'|'execa'/.test(text)) starting.push(file);
  }
  expect(starting.sort()).toEqual(['system/execaTool.ts', 'system/spawnTool.ts']);
});
