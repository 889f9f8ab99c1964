/**
 * @module The CPU of a kernel under test: the kernel and its processes take turns at every system call, and a turn that
 * goes to another CPU, or waits for another kernel's, takes several times as long.
 */
import { readFileSync } from 'node:fs';
import { cacheDirectory } from '../cluster/cacheDirectory.ts';
import { tryLock } from '../cluster/lock.ts';

/** Runs `work` with the number of a CPU that no other kernel under test has, or of any where all are taken. */
export async function withProcessor<T>(work: (cpu: number) => Promise<T>): Promise<T> {
  const allowed = allowedCPUs();
  for (const cpu of allowed) {
    const release = await tryLock(cacheDirectory('locks', `kernel-on-cpu-${cpu}`));
    if (release === undefined) continue;
    try {
      return await work(cpu);
    } finally {
      await release();
    }
  }
  return work(allowed[Number(process.env['JEST_WORKER_ID'] ?? 1) % allowed.length] ?? 0);
}

/** Those that this process may run on; 0 where the kernel does not say. */
function allowedCPUs(): number[] {
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
