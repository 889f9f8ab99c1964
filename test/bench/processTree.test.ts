/** The memory of real processes. */
import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { residentMiB } from './processTree.ts';

/** Has 50 MiB, and a child that is the same program or another one. */
const parent = `
import os, sys, time
memory = b"x" * (50 << 20)
child = os.fork()
if child == 0 and sys.argv[1] == "another": os.execvp("sleep", ["sleep", "60"])
if child > 0:
    while sys.argv[1] == "another" and "sleep" not in os.readlink(f"/proc/{child}/exe"): time.sleep(0.01)
    print(child, flush=True)
time.sleep(60)`;

test.each([
  { child: 'the same', counts: false },
  { child: 'another', counts: true },
])('a child that is $child program counts: $counts', async ({ child, counts }) => {
  const running = spawn('python3', ['-c', parent, child], { stdio: ['ignore', 'pipe', 'inherit'] });
  let pid = '';
  try {
    [pid] = (await once(running.stdout, 'data')).map(String) as [string];
    const { own, children } = residentMiB(running.pid ?? 0);
    expect(own).toBeGreaterThan(50);
    expect(children > 0).toBe(counts);
    expect(children).toBeLessThan(50);
  } finally {
    running.kill('SIGKILL');
    if (pid !== '') process.kill(Number(pid), 'SIGKILL');
  }
});
