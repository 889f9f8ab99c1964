/**
 * An image's archive as files, without a container.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

interface ArchivedImage {
  readonly Config: string;
  /** Tar archives, the base image's one first. */
  readonly Layers: readonly string[];
}

export interface UnpackedImage {
  readonly config: { readonly Entrypoint?: readonly string[]; readonly Labels?: Readonly<Record<string, string>> };
  /** Of each layer, the base image's first. */
  readonly layerBytes: readonly number[];
}

/**
 * Makes the directory `root`, beside which it needs as much room again. Files that a layer takes out of an earlier one
 * stay, and a `.wh.NAME` beside each.
 */
export async function unpackImage(archive: string, root: string): Promise<UnpackedImage> {
  const directory = await mkdtemp(join(dirname(root), 'unpacked-'));
  try {
    await execa('tar', ['--extract', '--file', archive, '--directory', directory]);
    const readJSON = async <T>(file: string): Promise<T> =>
      JSON.parse(await readFile(join(directory, file), 'utf8')) as T;
    const [image] = await readJSON<ArchivedImage[]>('manifest.json');
    if (image === undefined) throw new Error(`${archive} holds no image`);
    const layers = image.Layers.map((layer) => join(directory, layer));
    await mkdir(root);
    for (const layer of layers) await execa('tar', ['--extract', '--file', layer, '--directory', root]);
    const sizes = await Promise.all(layers.map((layer) => execa('stat', ['--dereference', '--format=%s', layer])));
    const { config } = await readJSON<Pick<UnpackedImage, 'config'>>(image.Config);
    return { config, layerBytes: sizes.map(({ stdout }) => Number(stdout)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
