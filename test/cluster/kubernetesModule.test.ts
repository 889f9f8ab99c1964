/** Kubernetes' modules as Go sees them: what is committed is what the program makes, and a version that is not served. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { goFolder } from './goModules.ts';
import { makeIn } from './kubernetesModule.ts';
import { defaultKubernetes, KubernetesVersionError } from './kubernetesVersion.ts';

const texts = (folder: string): Promise<string[]> =>
  Promise.all(['go.mod', 'go.sum'].map((file) => readFile(join(folder, file), 'utf8')));

describeWhere(['go modules'], "the Go module of Kubernetes' programs", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'go-module-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('made anew for the default version it is the committed one', async () => {
    let made: string[] = [];
    await makeIn(directory, defaultKubernetes(), async (folder) => {
      made = await texts(folder);
    });
    expect(made).toEqual(await texts(goFolder('kubernetes')));
    // Go may have to fetch all modules first.
  }, 600_000);

  test('a version that there is not is named, with the remedy, and leaves nothing behind', async () => {
    const making = makeIn(directory, 'v1.36.999', () => Promise.reject(new Error('it is made')));
    await expect(making).rejects.toThrow(KubernetesVersionError);
    await expect(making).rejects.toThrow(
      /^KUBERNETES=1\.36\.999: the Go module proxy does not give k8s\.io\/kubernetes v1\.36\.999\. Set it to/,
    );
  });
});
