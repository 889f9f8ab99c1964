/**
 * The bundle that goes into the image.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Metafile } from 'esbuild';
import { execa } from 'execa';
import { bundle, forbiddenInAgent, partOf } from '../../.ci/build.ts';

let directory = '';
let metafile: Metafile;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-bundle-'));
  metafile = await bundle(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("the agent's part holds neither the operator nor the generated API client", () => {
  expect(forbiddenInAgent(metafile)).toEqual([]);
  expect(partOf(metafile, 'agent').inputs.filter((input) => input.startsWith('src/operator/'))).toEqual([]);
  expect(partOf(metafile, 'agent').bytes).toBeLessThan(1_500_000);
});

test("that is looked for: the operator's part does hold it", () => {
  expect(
    partOf(metafile, 'operator').inputs.some((input) => input.startsWith('node_modules/@kubernetes/client-node/')),
  ).toBe(true);
});

test.each(['agent', 'operator', 'render', 'cleanup'])('proxyconfig %s starts from the bundle', async (command) => {
  const { stdout } = await execa(process.execPath, [path.join(directory, 'proxyconfig.js'), command, '--help']);
  expect(stdout).toContain(`Usage: proxyconfig ${command}`);
});
