/** Where time goes: sampled stacks, what Node wrote of a program that it really ran, and what perf printed. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { execa } from 'execa';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CpuProfile, functionTimesOf, namesBySource } from './cpuProfile.ts';
import { FunctionTimes } from './functionTimes.ts';
import { section } from './report.ts';
import { isForThePage, profileSettings } from './settings.ts';
import { toolTimesOf } from './toolStacks.ts';

describe('FunctionTimes', () => {
  const times = new FunctionTimes();
  times.add(['hash', 'plan', 'sync'], 3);
  times.add(['plan', 'sync'], 2);
  times.add(['walk', 'walk', 'walk', 'sync'], 4);
  times.add([], 100);

  test('a function by itself, and with what it calls; one that calls itself once', () => {
    expect(times.largest(9)).toEqual([
      { what: 'walk', ownMs: 4, totalMs: 4 },
      { what: 'hash', ownMs: 3, totalMs: 3 },
      { what: 'plan', ownMs: 2, totalMs: 5 },
      { what: 'sync', ownMs: 0, totalMs: 9 },
    ]);
    expect(times.sum()).toBe(9);
  });

  test('no more than are asked for', () => {
    expect(times.largest(1).map(({ what }) => what)).toEqual(['walk']);
  });
});

describe('what node --cpu-prof writes of a bundle', () => {
  /** Two modules with functions of one name: esbuild renames one of them. */
  const spin =
    'export function spin(rounds: number): number {\n  let sum = 0;\n  for (let n = 0; n < rounds; n += 1) sum = (sum * 31 + n) % 65_537;\n  return sum;\n}\n';
  const sources = {
    'short.ts': spin,
    'long.ts': `// Not the first line.\n${spin}`,
    'main.ts':
      "import { spin as short } from './short.ts';\nimport { spin as long } from './long.ts';\nexport function work(): void {\n  short(3_000_000);\n  long(60_000_000);\n}\nwork();\nsetTimeout(() => {}, 300);\n",
  };
  let directory: string;
  let times: FunctionTimes;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'profile-'));
    for (const [name, text] of Object.entries(sources)) await writeFile(join(directory, name), text);
    const bundled = join(directory, 'bundle', 'main.mjs');
    const how = { bundle: true, format: 'esm', minifyWhitespace: true, sourcemap: 'external' } as const;
    await build({ ...how, entryPoints: [join(directory, 'main.ts')], outfile: bundled });
    const profiles = join(directory, 'profiles');
    await execa(process.execPath, ['--cpu-prof', `--cpu-prof-dir=${profiles}`, bundled]);
    const [file = ''] = await readdir(profiles);
    const profile = JSON.parse(await readFile(join(profiles, file), 'utf8')) as CpuProfile;
    times = functionTimesOf(profile, namesBySource(directory));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test('the function that took most comes first, under its name and place in the source', () => {
    expect(times.largest(1).map(({ what }) => what)).toEqual(['spin long.ts:2']);
  });

  test('its caller has its time in all, and hardly any alone', () => {
    const [long] = times.largest(1);
    const caller = times.largest(1000).find(({ what }) => what === 'work main.ts:3');
    const short = times.largest(1000).find(({ what }) => what === 'spin short.ts:1');
    // Sums of fractions, in another order.
    const roundingMs = 0.001;
    const ofBoth = (long?.totalMs ?? Infinity) + (short?.totalMs ?? 0);
    expect(caller?.totalMs).toBeGreaterThan(ofBoth - roundingMs);
    expect(caller?.ownMs).toBeLessThan((long?.ownMs ?? 0) / 5);
  });

  test('nothing is said of the time in which it waited', () => {
    expect(times.largest(1000).filter(({ what }) => what.includes('idle'))).toEqual([]);
  });
});

/** Recorded with perf 6.1.187, shortened. */
const script = `MainThread 10194/10194    2004008 
	          1a2b3c v8::internal::Heap::Scavenge (/usr/bin/node)

V8Worker 10194/10229    1002004 
	          1a2b3c v8::internal::Heap::Scavenge (/usr/bin/node)

MainThread 10650/10650    1002004 
	ffffffff81409e44 copy_page_range ([kernel.kallsyms])

iptables-nft-re 10651/10651    2004008 
	ffffffff81f68689 nft_table_lookup.part.0 ([kernel.kallsyms])
	ffffffff81f73698 nf_tables_newrule ([kernel.kallsyms])
	          10ac10 __libc_sendmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
	           26e1c [unknown] (/usr/sbin/xtables-nft-multi)
	ffffffffffffffff [unknown] ([unknown])

iptables-nft-re 10656/10656    4008016 
	          10ac10 __strcmp_evex (/usr/lib/x86_64-linux-gnu/libc.so.6)
	          55aa10 [unknown] ([heap])
	           3344c nftnl_chain_list_lookup_byname (/usr/lib/x86_64-linux-gnu/libnftnl.so.11.6.0)

iptables-legacy 10660/10660    1002004 
	           26e1c [unknown] (/usr/sbin/xtables-legacy-multi)

ip 10669/10669    1002004 
	ffffffff81409e44 exc_page_fault ([kernel.kallsyms])

`;

describe('toolTimesOf', () => {
  const times = toolTimesOf(script, 10_194);

  test('the agent itself is no tool; its threads are told apart', () => {
    expect([times.mainThreadMs, times.otherThreadsMs]).toEqual([2.004008, 1.002004]);
    expect(times.functions.largest(99).filter(({ what }) => what.includes('Scavenge'))).toEqual([]);
  });

  test('programs by their whole names, where the letters that the kernel keeps are those of one alone', () => {
    expect(times.programs.map(([name, ms]) => `${name} ${Math.round(ms)}`)).toEqual([
      'iptables-nft-restore 6',
      'the agent, before it becomes a tool 1',
      'iptables-legacy 1',
      'ip 1',
    ]);
  });

  test('functions with the file that they are in; one of the C library with its caller', () => {
    expect(times.functions.largest(2).map(({ what }) => what)).toEqual([
      'strcmp of nftnl_chain_list_lookup_byname (libnftnl)',
      'nft_table_lookup.part.0 (kernel)',
    ]);
  });

  test('code without symbols is named by its file, and counted', () => {
    expect(times.functions.largest(99).map(({ what }) => what)).toContain('without a name (xtables-legacy-multi)');
    expect(times.unnamedMs).toBe(1.002004);
  });
});

describe('section', () => {
  const agent = new FunctionTimes();
  agent.add(['hash a.ts:1', 'sync b.ts:2'], 30);
  agent.add(['sync b.ts:2'], 10);
  const text = section(
    [{ variant: 'legacy', agent, tools: toolTimesOf(script, 10_194) }],
    { variant: ['legacy'], services: 10_000, endpoints: 3, starts: 2 },
    { date: '2026-01-31', commit: 'abc', machine: '2 CPUs', versions: ['Node v24', 'perf 6.1'], load: 1.5 },
  );

  test('says what was measured, when, on what and with what', () => {
    for (const words of ['10,000 Services of 3 endpoints', '2026-01-31 at commit abc on 2 CPUs; Node v24, perf 6.1'])
      expect(text).toContain(words);
  });

  test('has a table of the largest of either side, alone and in all, with their shares', () => {
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows[0]).toBe(
      '| `hash a.ts:1` | 30 ms (75 %) | 30 ms (75 %) | `strcmp of nftnl_chain_list_lookup_byname (libnftnl)` | 4 ms (44 %) | 4 ms (44 %) |',
    );
    expect(rows[1]).toMatch(/^\| `sync b.ts:2` \| 10 ms \(25 %\) \| 40 ms \(100 %\) \|/);
  });

  test('says what code had no symbols', () => {
    expect(text).toContain('Of that, 1 ms are in code whose symbols were not there.');
  });
});

describe('profileSettings', () => {
  test('the page is of the usual numbers and both variants', () => {
    expect(profileSettings(['--profile'])).toEqual({
      variant: ['nft', 'legacy'],
      services: 10_000,
      endpoints: 3,
      starts: 3,
    });
    expect(isForThePage(profileSettings(['--profile', '--starts', '5']))).toBe(true);
  });

  test.each(['--variant nft', '--services 1000', '--endpoints 5'])('with %s it is not', (flags) => {
    expect(isForThePage(profileSettings(['--profile', ...flags.split(' ')]))).toBe(false);
  });

  test.each(['--against main', '--starts 0', '--variant ipvs', 'cold'])('refuses %s', (flags) => {
    expect(() => profileSettings(['--profile', ...flags.split(' ')])).toThrow();
  });
});
