/** The program as npm installs it, on this Node and on one that is too old. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
};
const programs = Object.entries(manifest.bin).map(([name, file]) => ({ name, file }));
/** Also on a newer Node this says that it is an older one. */
const pretending =
  "--import=data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.9.0'}})";
/** Debian's is older than ours. */
const systemNode = '/usr/bin/node';
const systemVersion = spawnSync(systemNode, ['--version'], { encoding: 'utf8' }).stdout ?? '';
const isOld = Number(/^v(\d+)/.exec(systemVersion)?.[1] ?? Infinity) < 24;
const oldNodes = [
  { version: '20.9.0', command: [process.execPath, pretending] },
  ...(isOld ? [{ version: systemVersion.trim().slice(1), command: [systemNode] }] : []),
];

describe.each(programs)('$name', ({ file }) => {
  test('runs on this Node', async () => {
    expect((await execa(file, ['--version'])).stdout).toBe(manifest.version);
  });

  test.each(oldNodes)('says on Node $version in one line what to do', async ({ version, command }) => {
    const [node = '', ...flags] = command;
    const { exitCode, stdout, stderr } = await execa(node, [...flags, file, '--version'], { reject: false });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^proxyconfig: needs Node 24 or newer, and this is [\d.]+: install .* PATH=\S+:\$PATH$/);
    expect(stderr).toContain(`this is ${version}:`);
  });
});
