/** The unit of docs/installing.md, as systemd itself reads it. No systemd is started. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { describeWhere } from '../support/requirements.ts';
import { agentUnit, directivesOf, unitName } from './agentUnit.ts';
import { agentPod } from './agentPod.ts';

/** In tenths: "OK", and more than 25 for the checks that newer versions add. A service without restrictions has 96. */
const maxExposure = 30;

describeWhere(['root', 'systemd-analyze'], 'the unit of an agent without a Pod, to systemd', () => {
  let directory = '';
  let unit = '';

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-unit-'));
    unit = path.join(directory, unitName);
    await writeFile(unit, agentUnit);
    await mkdir(path.join(directory, 'bin'));
    await writeFile(path.join(directory, 'bin/proxyconfig'), '#!/bin/sh\n');
    await chmod(path.join(directory, 'bin/proxyconfig'), 0o755);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** All that it says; with the program where the unit has it, in a mount namespace of its own. */
  async function verify(file: string): Promise<string> {
    const script = 'mount --bind "$0/bin" /usr/local/bin && exec systemd-analyze verify --man=no "$1"';
    const { all } = await execa('unshare', ['--mount', 'sh', '-c', script, directory, file], {
      all: true,
      reject: false,
    });
    return all;
  }

  test('it is read without a warning', async () => {
    expect(await verify(unit)).toBe('');
  });

  test('a word that is none would be warned of', async () => {
    const misspelled = path.join(directory, 'misspelled.service');
    await writeFile(misspelled, agentUnit.replace('ProtectClock=', 'ProtectClocks='));
    expect(await verify(misspelled)).toContain("'ProtectClocks'");
  });

  test('its exposure stays within bounds', async () => {
    const threshold = `--threshold=${maxExposure}`;
    const { exitCode, stdout } = await execa(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', threshold, unit],
      { reject: false },
    );
    const [summary = stdout] = /Overall exposure level .*/.exec(stdout) ?? [];
    console.log(summary);
    expect({ exitCode, summary }).toEqual({ exitCode: 0, summary: expect.any(String) });
  });
});

const [, capabilities = ''] =
  directivesOf(agentUnit, 'Service').find(([name]) => name === 'CapabilityBoundingSet') ?? [];

describe('the capabilities of an agent without a Pod', () => {
  test('are those of an agent in a Pod', () => {
    const inPod = agentPod.containers.flatMap(({ securityContext }) => securityContext.capabilities.add);
    expect(capabilities.split(' ')).toEqual(inPod.map((name) => `CAP_${name}`));
  });
});

describeWhere(['root', 'iptables'], 'the capabilities of an agent without a Pod, to legacy iptables', () => {
  test('are enough', async () => {
    expect(await listWith(capabilities.split(' '))).toBe(0);
  });

  test.each(capabilities.split(' '))('are not without %s', async (missing) => {
    expect(await listWith(capabilities.split(' ').filter((name) => name !== missing))).not.toBe(0);
  });
});

/** The exit status of a list of the nat table, in a network namespace of its own. */
async function listWith(names: readonly string[]): Promise<number | undefined> {
  const set = ['-all', ...names.map((name) => name.replace('CAP_', '+').toLowerCase())].join();
  const setpriv = ['setpriv', '--inh-caps=-all', `--bounding-set=${set}`];
  const list = ['iptables-legacy', '--table=nat', '--list', '--numeric'];
  const { exitCode } = await execa('unshare', ['--net', ...setpriv, ...list], { reject: false });
  return exitCode;
}
