import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { builtIn, configOfNodeProxy, loadSavedConfig, saveConfig } from '../../src/agent/config/desiredConfig.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-state-'));
});
afterEach(() => rm(directory, { recursive: true }));

const configRef = { name: 'default', uid: 'u', generation: 1 };

describe('loadSavedConfig and saveConfig', () => {
  test('reads a saved configuration back as it was, and leaves nothing else in the directory', async () => {
    const desired = { ...builtIn(), revision: 'abc' };
    const deep = path.join(directory, 'made', 'by', 'us');
    await saveConfig(deep, { ...desired, config: { ...desired.config, masquerade: { bit: 9, all: true } } });
    await saveConfig(deep, desired);
    expect(await loadSavedConfig(deep)).toEqual({ ...desired, source: 'Saved' });
    expect(await readdir(deep)).toEqual(['last-good-config.json']);
  });

  test('reads undefined where nothing is saved', async () => {
    expect(await loadSavedConfig(directory)).toBeUndefined();
  });

  test.each([
    { name: 'cut in the middle', text: '{"revision":"a","conf' },
    { name: 'of an unknown mode', text: '{"revision":"a","config":{"mode":"carrier-pigeon"}}' },
    { name: 'without a configuration', text: '{}' },
  ])('throws for a file that is $name', async ({ text }) => {
    await writeFile(path.join(directory, 'last-good-config.json'), text);
    await expect(loadSavedConfig(directory)).rejects.toThrow();
  });
});

describe('configOfNodeProxy', () => {
  test.each([
    {
      name: 'complete',
      config: builtIn().config,
      expected: { source: 'NodeProxy', revision: 'r1', config: builtIn().config },
    },
    {
      name: 'with defaults left out',
      config: { mode: 'iptables' },
      expected: { source: 'NodeProxy', config: builtIn().config },
    },
    {
      name: 'missing',
      config: undefined,
      expected: { reason: 'ConfigInvalid', message: expect.stringContaining('spec') },
    },
    {
      name: 'of a newer operator, with a setting that is not known here',
      config: { ...builtIn().config, masquerade: { bit: 14, all: false, exceptCIDRs: [] } },
      expected: { reason: 'ConfigInvalid', message: expect.stringContaining('spec.masquerade.exceptCIDRs') },
    },
    {
      name: 'of a newer operator, with a mode that is not known here',
      config: { ...builtIn().config, mode: 'ebpf' },
      expected: { reason: 'ConfigInvalid', message: expect.stringContaining('spec.mode') },
    },
    {
      name: 'out of bounds',
      config: { mode: 'iptables', masquerade: { bit: 32, all: false } },
      expected: { reason: 'ConfigInvalid', message: expect.stringContaining('spec.masquerade.bit') },
    },
    {
      name: 'against a rule',
      config: { mode: 'iptables', sync: { periodSeconds: 1, minPeriodSeconds: 2 } },
      expected: { reason: 'ConfigInvalid', message: expect.stringContaining('spec.sync') },
    },
  ])('reads a configuration that is $name', ({ config, expected }) => {
    expect(
      configOfNodeProxy({ configRef, revision: 'r1', ...(config === undefined ? {} : { config: { ...config } }) }),
    ).toMatchObject(expected);
  });
});
