/** Changes of one endpoint, each there and back, and what they cost a program that follows them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measures } from './measures.ts';
import { cpuOf, type Share } from './processTree.ts';
import { median } from './statistics.ts';

export type Changing = Pick<Measures, 'change' | 'cpuPerChange' | 'changeCpu' | 'changeCpuTools'>;

export interface ChangesSettings {
  readonly services: number;
  /** Each there and back. */
  readonly changes: number;
}

/**
 * Moves the last endpoint of a Service to the address, or back to its own, and resolves to the milliseconds from the
 * request until the program had followed.
 */
export type Move = (service: number, address?: string) => Promise<number>;

/** More than kube-proxy's shortest time between two syncs, and than the kernel needs to free what one has replaced. */
const betweenChangesMs = 1300;
const idleMs = 4000;

/** The CPU is that of the process and its children. */
export async function measureChanges(pid: number, settings: ChangesSettings, move: Move): Promise<Changing> {
  let times: readonly number[] = [];
  const busy = await cpuIn(pid, async () => {
    times = await timeChanges(settings, move);
    await sleep(betweenChangesMs);
  });
  const idle = await cpuIn(pid, () => sleep(idleMs));
  const ofChanges = whole(busy.cpu) - (whole(idle.cpu) * busy.ms) / idle.ms;
  return {
    change: median(times),
    cpuPerChange: (1000 * Math.max(0, ofChanges)) / times.length,
    changeCpu: (1000 * busy.cpu.own) / times.length,
    changeCpuTools: (1000 * busy.cpu.children) / times.length,
  };
}

/** What each move took, of Services from all over the table; each at a distance from the one before. */
export async function timeChanges({ services, changes }: ChangesSettings, move: Move): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < changes; index += 1) {
    const service = Math.floor((index * services) / changes);
    for (const address of [spareAddress(index), undefined]) {
      await sleep(betweenChangesMs);
      times.push(await move(service, address));
    }
  }
  return times;
}

/** Where the endpoint of a change goes: an address that no Service has. */
function spareAddress(index: number): string {
  return `10.244.250.${1 + (index % 200)}`;
}

async function cpuIn(pid: number, work: () => Promise<unknown>): Promise<{ readonly cpu: Share; readonly ms: number }> {
  const started = performance.now();
  const before = cpuOf(pid);
  await work();
  const after = cpuOf(pid);
  const cpu = { own: after.own - before.own, children: after.children - before.children };
  return { cpu, ms: performance.now() - started };
}

function whole({ own, children }: Share): number {
  return own + children;
}
