/** What `perf script` printed of a recording of the agent: the stacks of the tools that it ran. */
import { FunctionTimes } from './functionTimes.ts';

export interface ToolTimes {
  readonly functions: FunctionTimes;
  /** Milliseconds of CPU by program, the most first. */
  readonly programs: readonly (readonly [name: string, ms: number])[];
  /** Milliseconds of CPU in code that has no symbols here. */
  readonly unnamedMs: number;
  /** Milliseconds of CPU of the agent's own threads: the one that runs JavaScript, and those of V8 and libuv. */
  readonly mainThreadMs: number;
  readonly otherThreadsMs: number;
}

/** Of `perf script`, so that each sample is a line of these and its frames a line each. */
export const scriptFields = ['-F', 'comm,pid,tid,period,ip,sym,dso', '--no-inline'] as const;

interface Sample {
  readonly thread: string;
  readonly pid: number;
  /** Of CPU: the period of the event `cpu-clock` is nanoseconds. */
  readonly ms: number;
  /** What ran, before it who called it, and so on. */
  readonly stack: readonly string[];
}

const unnamed = 'without a name';
/** As Node names it; a process that it has made for a tool has that name until it becomes the tool. */
const mainThread = 'MainThread';

/** `agent`: its process ID. */
export function toolTimesOf(script: string, agent: number): ToolTimes {
  const samples = script.split('\n\n').flatMap(sampleOf);
  const [own, ofTools] = [samples.filter(({ pid }) => pid === agent), samples.filter(({ pid }) => pid !== agent)];
  const functions = new FunctionTimes();
  for (const { stack, ms } of ofTools) functions.add(withCaller(stack), ms);
  const main = own.filter(({ thread }) => thread === mainThread);
  return {
    functions,
    programs: sumByProgram(ofTools),
    unnamedMs: sum(ofTools.filter(({ stack }) => stack[0]?.startsWith(unnamed))),
    mainThreadMs: sum(main),
    otherThreadsMs: sum(own) - sum(main),
  };
}

function sum(samples: readonly Sample[]): number {
  return samples.reduce((before, { ms }) => before + ms, 0);
}

function sumByProgram(samples: readonly Sample[]): readonly (readonly [string, number])[] {
  const byProgram = Object.groupBy(samples, ({ thread }) => programOf(thread));
  return Object.entries(byProgram)
    .map(([program, all = []]) => [program, sum(all)] as const)
    .toSorted(([, a], [, b]) => b - a);
}

const header = /^(.+?)\s+(\d+)\/\d+\s+(\d+)\s*$/;

/** Nothing of an empty text. */
function sampleOf(text: string): readonly Sample[] {
  const [head = '', ...frames] = text.split('\n').filter(Boolean);
  const [, thread = '', pid, period] = header.exec(head) ?? [];
  if (pid === undefined) return [];
  const stack = frames.flatMap(functionOf);
  return [{ thread, pid: Number(pid), ms: Number(period) / 1e6, stack: stack.length === 0 ? [unnamed] : stack }];
}

const frame = /^\s+[0-9a-f]+ (.+) \((.+)\)$/;
const unknown = '[unknown]';
/** What is no code: the way back was lost. */
const nowhere = new Set([unknown, '[heap]', '[stack]', '//anon']);

/** Nothing of a frame that leads nowhere. */
function functionOf(line: string): readonly string[] {
  const [, symbol = '', file = unknown] = frame.exec(line) ?? [];
  if (nowhere.has(file)) return [];
  const where = file.split('/').at(-1)?.split('.so')[0] ?? '';
  return [`${nameOf(symbol)} (${where === '[kernel.kallsyms]' ? 'kernel' : where})`];
}

/** Without what the C library adds to the name of a function that is there once for each kind of CPU. */
function nameOf(symbol: string): string {
  if (symbol === unknown) return unnamed;
  const [, plain = symbol] = /^_*(?:GI_+)?(\w+?)_(?:evex|avx2?|avx512|sse\d|erms|unaligned)\w*$/.exec(symbol) ?? [];
  return plain;
}

/** Of a function of the C library it matters who called it. */
function withCaller([running = '', ...callers]: readonly string[]): readonly string[] {
  const library = ' (libc)';
  const caller = running.endsWith(library) ? callers.find((each) => !each.endsWith(library)) : undefined;
  return [caller === undefined ? running : `${running.slice(0, -library.length)} of ${caller}`, ...callers];
}

/** Of a thread's name the kernel keeps 15 letters. */
const keptLetters = 15;
const longNames = ['iptables', 'ip6tables'].flatMap((family) =>
  ['nft', 'legacy'].flatMap((variant) => ['restore', 'save'].map((tool) => `${family}-${variant}-${tool}`)),
);

function programOf(thread: string): string {
  if (thread === mainThread) return 'the agent, before it becomes a tool';
  const [only, ...others] = longNames.filter((name) => name.slice(0, keptLetters) === thread);
  return only === undefined || others.length > 0 ? thread : only;
}
