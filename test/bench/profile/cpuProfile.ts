/** What `node --cpu-prof` wrote, in the names of the source. */
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FunctionTimes } from './functionTimes.ts';

/** What is read here of the format (Chrome DevTools Protocol, Profiler.Profile). Lines and columns count from 0. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** A node's id for each sample, and the microseconds since the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[];
}

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** Of one thread. V8's samples count time, on a CPU or waiting for one; `(idle)` is left out. */
export function functionTimesOf(profile: CpuProfile, nameOf: (frame: CallFrame) => string): FunctionTimes {
  const stacks = stacksOf(profile, nameOf);
  const times = new FunctionTimes();
  for (const [index, id] of profile.samples.entries()) {
    const stack = stacks.get(id) ?? [];
    if (stack[0] !== '(idle)') times.add(stack, (profile.timeDeltas[index] ?? 0) / 1000);
  }
  return times;
}

/** By node. */
function stacksOf({ nodes }: CpuProfile, nameOf: (frame: CallFrame) => string): Map<number, readonly string[]> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const stackOf = (id: number): string[] => {
    const stack: string[] = [];
    for (let each: number | undefined = id; each !== undefined; each = callers.get(each))
      stack.push(names.get(each) ?? '');
    return stack;
  };
  return new Map(nodes.map(({ id }) => [id, stackOf(id)]));
}

/** Names with the file of the source, by the source maps that lie beside the bundle's files. */
export function namesBySource(root: string): (frame: CallFrame) => string {
  const maps = new Map<string, SourceMap | undefined>();
  return ({ functionName, url, lineNumber, columnNumber }) => {
    if (!url.startsWith('file:')) return [functionName || '(anonymous)', url].filter(Boolean).join(' ');
    const file = fileURLToPath(url);
    if (!maps.has(file)) maps.set(file, readMap(file));
    const origin = maps.get(file)?.findEntry(lineNumber, columnNumber);
    if (origin === undefined || !('originalSource' in origin)) return `${functionName || '(module)'} ${basename(file)}`;
    const source = relative(root, resolve(file, '..', origin.originalSource));
    const original = 'name' in origin && typeof origin.name === 'string' ? origin.name : undefined;
    return `${nameInSource(functionName, original)} ${source}:${origin.originalLine + 1}`;
  };
}

/** esbuild gives a function a number where two modules have one of the same name. */
function nameInSource(name: string, original: string | undefined): string {
  if (original !== undefined && name.startsWith(original) && /^\d+$/.test(name.slice(original.length))) return original;
  return name || '(anonymous)';
}

function readMap(file: string): SourceMap | undefined {
  if (!existsSync(`${file}.map`)) return undefined;
  return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMapPayload);
}
