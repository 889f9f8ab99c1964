import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { builtIn, type DesiredConfig, loadSavedConfig } from '../../src/agent/config/desiredConfig.ts';
import { SavedConfig } from '../../src/agent/config/savedConfig.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';

let parent: string;
let stateDirectory: string;
let saved: SavedConfig;
/** What `conditions` said each time that it had changed. */
let told: string[];

const inState = (name: string): string => path.join(stateDirectory, name);
const file = 'last-good-config.json';
const fromNodeProxy = (revision: string): DesiredConfig => ({ ...builtIn(), source: 'NodeProxy', revision });

async function open(retryMs = 10): Promise<DesiredConfig | undefined> {
  saved = new SavedConfig({
    stateDirectory,
    logger: silentLogger,
    onChange: () => told.push(saved.conditions()[0]?.message ?? 'nothing'),
    retryMs,
  });
  return saved.load();
}

/** What an agent that starts now would find; undefined where that is nothing. */
const onDisk = (): Promise<string | undefined> =>
  loadSavedConfig(stateDirectory).then(
    (config) => config?.revision,
    () => undefined,
  );

const diskHolds = (revision: string): Promise<void> =>
  until(`${revision} is on the disk`, async () => (await onDisk()) === revision);
const toldOf = (words: string): Promise<void> =>
  until(`it is told: ${words}`, () => told.at(-1)?.includes(words) === true);

/** Until it is taken away, nothing can be saved. */
const obstruct = (): Promise<unknown> => mkdir(inState(`${file}.tmp`));
const clear = (): Promise<void> => rm(inState(`${file}.tmp`), { recursive: true });

beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'proxyconfig-saved-'));
  stateDirectory = path.join(parent, 'state');
  await mkdir(stateDirectory);
  told = [];
  await open();
});
afterEach(async () => {
  await saved.stop();
  await rm(parent, { recursive: true });
});

describe('SavedConfig', () => {
  const obstacles: readonly {
    name: string;
    code: string;
    make: () => Promise<unknown>;
    take: () => Promise<unknown>;
  }[] = [
    {
      name: 'a full disk',
      code: 'ENOSPC',
      make: () => symlink('/dev/full', inState(`${file}.tmp`)),
      // What was begun is deleted after the failure, and the link is that.
      take: () => Promise.resolve(),
    },
    { name: 'a file that cannot be opened', code: 'EISDIR', make: obstruct, take: clear },
    {
      name: 'a file that cannot be replaced',
      code: 'EISDIR',
      make: () => mkdir(inState(file)),
      take: () => rm(inState(file), { recursive: true }),
    },
    {
      name: 'a state directory that is none',
      code: 'EEXIST',
      make: () => rm(stateDirectory, { recursive: true }).then(() => writeFile(stateDirectory, '')),
      take: () => rm(stateDirectory),
    },
  ];
  test.each(obstacles)('$name: it is told and tried again, until it is saved', async ({ code, make, take }) => {
    await make();
    saved.save(fromNodeProxy('r1'));
    await until('it is told', () => told.length > 0);
    expect(told[0]).toContain(`revision r1, which could not be saved on its disk (${code})`);
    expect(told[0]).toContain('would run the built-in defaults');
    await take();
    await diskHolds('r1');
    await toldOf('nothing');
    expect(saved.conditions()).toEqual([]);
    expect(await readdir(stateDirectory)).toEqual([file]);
  });

  test('while another revision is on the disk than runs, the condition names both', async () => {
    saved.save(fromNodeProxy('r1'));
    await diskHolds('r1');
    await obstruct();
    saved.save(fromNodeProxy('r2'));
    await toldOf('would run revision r1');
    expect(saved.conditions()).toMatchObject([{ type: 'ConfigSaved', status: 'False', reason: 'SaveFailed' }]);
    expect(await onDisk()).toBe('r1');
    await clear();
    await diskHolds('r2');
    await toldOf('nothing');
  });

  test('a configuration that is no longer in force is not saved late', async () => {
    await obstruct();
    saved.save(fromNodeProxy('r1'));
    await toldOf('revision r1');
    saved.save(fromNodeProxy('r2'));
    await toldOf('revision r2');
    await clear();
    await diskHolds('r2');
    await toldOf('nothing');
  });

  test('a node that goes back to what is saved has nothing to tell', async () => {
    const first = fromNodeProxy('r1');
    saved.save(first);
    await diskHolds('r1');
    await obstruct();
    saved.save(fromNodeProxy('r2'));
    await toldOf('revision r2');
    saved.save({ ...first });
    await toldOf('nothing');
    await clear();
  });

  test('what is on the disk already is not written again, by a restarted agent neither', async () => {
    saved.save(fromNodeProxy('r1'));
    await diskHolds('r1');
    await saved.stop();
    const { ino } = await stat(inState(file));
    expect(await open()).toMatchObject({ source: 'Saved', revision: 'r1' });
    saved.save(fromNodeProxy('r1'));
    await saved.stop();
    expect((await stat(inState(file))).ino).toBe(ino);
  });

  test('the same revision with another configuration is written', async () => {
    saved.save(fromNodeProxy('r1'));
    await diskHolds('r1');
    const { config, ...rest } = fromNodeProxy('r1');
    saved.save({ ...rest, config: { ...config, masquerade: { bit: 9, all: true } } });
    await saved.stop();
    expect((await loadSavedConfig(stateDirectory))?.config.masquerade).toEqual({ bit: 9, all: true });
  });

  test('the built-in configuration is never saved', async () => {
    saved.save(builtIn());
    await saved.stop();
    expect(await readdir(stateDirectory)).toEqual([]);
  });

  test('an agent that ends tries once more, and does not wait where that fails', async () => {
    await saved.stop();
    await open(1_000_000);
    await obstruct();
    saved.save(fromNodeProxy('r1'));
    await toldOf('revision r1');
    await saved.stop();
    expect(await onDisk()).toBeUndefined();
    await clear();
    await saved.stop();
    expect(await onDisk()).toBe('r1');
  });

  test('the message is within the bounds of the CRD, however long the revisions are', async () => {
    saved.save(fromNodeProxy('a'.repeat(64)));
    await diskHolds('a'.repeat(64));
    await obstruct();
    saved.save(fromNodeProxy('b'.repeat(64)));
    await toldOf('bbb');
    expect(Buffer.byteLength(told.at(-1) ?? '')).toBeLessThanOrEqual(256);
    await clear();
  });
});
