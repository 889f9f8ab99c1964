/** The course of a build, with tools that do nothing: with the real ones it takes six minutes, in the set-up. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { sourceVersion } from './kernelFiles.ts';

const program = join(import.meta.dirname, 'kernelImage.ts');

/** Each does as much as the next step needs. `make olddefconfig` leaves the fragment as it is. */
const tools = {
  'apt-get': '[ "$1" = update ] || touch linux-source-6.12.deb',
  'dpkg-deb': '[ "$1" = --extract ] || echo 6.12.999-1',
  tar: `mkdir -p linux-source-6.12/arch/x86/um linux-source-6.12/scripts/kconfig; cd linux-source-6.12
    echo 'DEFINE_LONGS(HOST_FP_SIZE, 2696);' > arch/x86/um/user-offsets.c
    printf '#!/bin/sh\\ncat "$3" > .config\\n' > scripts/kconfig/merge_config.sh; chmod +x scripts/kconfig/merge_config.sh`,
  make: `case "$*" in *modules) cp arch/x86/um/user-offsets.c linux; chmod +x linux;; modules_install*) mkdir "\${2#*=}";; esac`,
  strip: 'cp "$3" "$2"',
};

describe('a build of the kernel under test', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kernel-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** With other tools in place of some. */
  async function build(others: Partial<typeof tools> = {}, args: readonly string[] = []) {
    const path = join(directory, 'bin');
    await mkdir(path, { recursive: true });
    for (const [name, script] of Object.entries({ ...tools, ...others })) {
      await writeFile(join(path, name), `#!/bin/sh\nset -e\n${script}\n`);
      await chmod(join(path, name), 0o755);
    }
    const env = { PATH: `${path}:/usr/bin:/bin`, XDG_CACHE_HOME: directory };
    return execa(process.execPath, [program, ...args], { env, extendEnv: false, reject: false });
  }
  const cached = (): Promise<string[]> => readdir(join(directory, 'proxyconfig-operator', 'kernel'));

  test('leaves the kernel in the cache and nothing else, with room for all registers', async () => {
    expect(await build({}, ['--check'])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not built') });
    const { stdout, exitCode } = await build();
    expect(exitCode).toBe(0);
    expect(new Set(await cached())).toEqual(new Set(['lock', basename(stdout)]));
    const { stdout: kernel } = await execa('cat', [join(stdout, 'linux')]);
    expect(kernel).toBe('DEFINE_LONGS(HOST_FP_SIZE, 12288);');
    expect(await build({}, ['--check'])).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('takes the version that apt offers where the archive no longer has the one that is asked for, and says so', async () => {
    const { exitCode, stderr } = await build({
      'apt-get': `case "$*" in *=${sourceVersion}) exit 100;; download*) touch linux-source-6.12.deb;; esac`,
    });
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/does not have that version: taking the one that it offers\n.*6\.12\.999-1/);
  });

  test.each([
    {
      what: 'an option that the kernel dropped',
      others: { make: `if [ "$*" = olddefconfig ]; then sed -i /CONFIG_NFT_NAT=/d .config; fi` },
      names: /CONFIG_NFT_NAT is n instead of y/,
    },
    { what: 'a source that apt does not have', others: { 'apt-get': 'exit 100' }, names: /apt-get download/ },
    {
      what: "a compiler's error",
      others: { make: 'case "$*" in *modules) echo "x.c: no such thing" >&2; exit 2;; esac' },
      names: /x\.c: no such thing/,
    },
    {
      what: 'a source that has another size of registers',
      others: { tar: 'mkdir -p linux-source-6.12/arch/x86/um; touch linux-source-6.12/arch/x86/um/user-offsets.c' },
      names: /another size of registers/,
    },
  ])('fails for $what, by name, and removes the tree', async ({ others, names }) => {
    expect(await build(others)).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(names) });
    expect(await cached()).toEqual(['lock']);
  });

  test('removes the tree of a build that was killed', async () => {
    await mkdir(join(directory, 'proxyconfig-operator', 'kernel', 'building-killed'), { recursive: true });
    expect(await build()).toMatchObject({ exitCode: 0 });
    expect(await cached()).not.toContain('building-killed');
  });
});
