/**
 * The image as the Dockerfile makes it: what it weighs on top of its base, and that it starts without root and without
 * a place to write.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { productImage } from '../cluster/images.ts';
import { type UnpackedImage, unpackImage } from '../cluster/unpackedImage.ts';
import { describeWhere } from '../support/requirements.ts';

const megabyte = 1_000_000;
const most = 200 * megabyte;

describeWhere(['root', 'cluster'], 'the image', () => {
  let directory = '';
  let image: UnpackedImage;

  beforeAll(async () => {
    const archive = await productImage();
    directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-image-'));
    image = await unpackImage(archive, path.join(directory, 'root'));
  }, 300_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** In the image's files, which are read-only, as a user of no name. */
  async function inImage(command: readonly string[], user = '65532:65532'): Promise<string> {
    const script =
      'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t proc proc "$0/proc" && exec chroot --userspec="$1" "$0" "${@:2}"';
    const { all } = await execa(
      'unshare',
      ['--mount', '--pid', '--fork', 'bash', '-c', script, path.join(directory, 'root'), user, ...command],
      { all: true, reject: false },
    );
    return all;
  }

  test('adds at most 200 MB to its base', () => {
    const added = image.layerBytes.slice(1).reduce((sum, size) => sum + size, 0);
    console.info(`on top of the base image: ${Math.round(added / megabyte)} MB`);
    expect(added).toBeGreaterThan(0);
    expect(added).toBeLessThanOrEqual(most);
  });

  test('holds nothing that only building it or reading about it needs', async () => {
    const { stdout } = await execa('sh', [
      '-c',
      'cd "$0" && find var/cache/apt var/lib/apt/lists usr/share/doc usr/share/man usr/share/locale -type f ! -name copyright ! -name ".wh.*"',
      path.join(directory, 'root'),
    ]);
    expect(stdout).toBe('');
  });

  test('its Node is, byte for byte, the one that the lockfile pins', async () => {
    const pinned = path.resolve('node_modules', `node-linux-${process.arch}`, 'bin', 'node');
    await execa('cmp', [pinned, path.join(directory, 'root/usr/local/bin/node')]);
  });

  test.each(['operator', 'agent'])(
    'proxyconfig %s starts in it, neither as root nor with a place to write',
    async (command) => {
      expect(await inImage([...(image.config.Entrypoint ?? []), command, '--help'])).toContain(
        `Usage: proxyconfig ${command}`,
      );
      expect(await inImage(['touch', '/tmp/x'])).toContain('Read-only file system');
    },
  );

  test.each([
    'iptables-restore',
    'iptables-legacy-restore',
    'iptables-nft-restore',
    'ip6tables-restore',
    'nft',
    'ipset',
    'ipvsadm',
    'ip',
    'conntrack',
    'modprobe',
    'setpriv',
    'perl',
    'proxyconfig',
  ])('has %s', async (program) => {
    expect(await inImage(['sh', '-c', `command -v ${program}`], '0:0')).toMatch(new RegExp(`/${program}$`));
  });
});
