/** What KUBERNETES may say, and which go.mod another version gets. */
import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { cachedPath, goModule, moduleFolder, moduleVersion } from './binaryCatalog.ts';
import { moduleText, refusedModules } from './kubernetesModule.ts';
import { chosenKubernetes, defaultKubernetes, parseKubernetesVersion } from './kubernetesVersion.ts';

test.each([
  { text: '1.36.3', version: 'v1.36.3' },
  { text: 'v1.36.3', version: 'v1.36.3' },
  { text: '1.32.0', version: 'v1.32.0' },
  { text: '1.38.0-beta.0', version: 'v1.38.0-beta.0' },
  { text: 'v1.40.0-rc.1', version: 'v1.40.0-rc.1' },
])('KUBERNETES=$text is $version', ({ text, version }) => {
  expect(chosenKubernetes({ KUBERNETES: text })).toBe(version);
});

test.each([{}, { KUBERNETES: '' }])('without it, %j, the committed one runs', (environment) => {
  expect(chosenKubernetes(environment)).toBe(defaultKubernetes());
  expect(moduleVersion(goModule('kube-apiserver'), chosenKubernetes(environment))).toBe(defaultKubernetes());
});

test.each(['1.36', '1.36.x', 'latest', '2.0.0', 'v1.36.3+k3s1', '1.36.3 ', '1.36.3-gke.1', '../1.36.3', '1.1234.0'])(
  'KUBERNETES=%s is refused, and what it may be is said',
  (text) => {
    expect(() => parseKubernetesVersion(text)).toThrow(
      /^KUBERNETES=.*: that is no version of Kubernetes\. Set it to .* such as KUBERNETES=1\.\d+\.\d+, or leave it out to run v1\./,
    );
  },
);

test('a version before the oldest that is supported is refused', () => {
  expect(() => parseKubernetesVersion('1.31.14')).toThrow(
    'KUBERNETES=1.31.14: the oldest version that is supported is',
  );
});

test('the look for programs ends with status 2 and that message', async () => {
  const options = { env: { KUBERNETES: 'newest' }, reject: false } as const;
  for (const args of [['--check'], []]) {
    const { exitCode, stderr } = await execa(process.execPath, ['test/cluster/binaries.ts', ...args], options);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringMatching(/^KUBERNETES=newest: that is no/),
    });
  }
});

test('programs of another version are built from a module in the cache, the others as ever', () => {
  const kubelet = goModule('kubelet');
  expect(moduleFolder(kubelet, 'v1.36.77')).not.toBe(moduleFolder(kubelet, defaultKubernetes()));
  expect(moduleFolder(kubelet, 'v1.36.77')).not.toBe(moduleFolder(kubelet, 'v1.36.78'));
  expect(cachedPath('kubelet', 'v1.36.77')).toBeUndefined();
  expect(cachedPath('containerd', 'v1.36.77')).toBe(cachedPath('containerd', defaultKubernetes()));
});

const upstream = {
  Go: '1.23.0',
  Require: [
    { Path: 'github.com/a/b', Version: 'v1.2.3' },
    { Path: 'go.etcd.io/etcd/server/v3', Version: 'v3.5.16' },
    { Path: 'k8s.io/api', Version: 'v0.0.0' },
  ],
  Replace: [
    { Old: { Path: 'k8s.io/api' }, New: { Path: './staging/src/k8s.io/api' } },
    { Old: { Path: 'k8s.io/endpointslice' }, New: { Path: './staging/src/k8s.io/endpointslice' } },
    { Old: { Path: 'example.invalid/fork' }, New: { Path: 'example.invalid/other' } },
  ],
};

test.each([
  { version: 'v1.32.13', api: 'v0.32.13', endpointslice: 'v0.32.12' },
  { version: 'v1.38.0-beta.0', api: 'v0.38.0-beta.0', endpointslice: 'v0.38.0-beta.0' },
] as const)('the go.mod of $version has what Kubernetes asks for, and staging modules of that version', (row) => {
  expect(moduleText(row.version, upstream).split('\n').slice(2)).toEqual([
    '',
    'go 1.23.0',
    '',
    'require (',
    `\tk8s.io/kubernetes ${row.version}`,
    '\tgithub.com/a/b v1.2.3 // indirect',
    '\tgo.etcd.io/etcd/server/v3 v3.5.16 // indirect',
    ')',
    '',
    'replace (',
    `\tk8s.io/api => k8s.io/api ${row.api}`,
    `\tk8s.io/endpointslice => k8s.io/endpointslice ${row.endpointslice}`,
    ')',
    '',
  ]);
});

test('what Go could not get is named once, a newer Go too', () => {
  const stderr = `go: downloading example.invalid/a/v2 v2.1.0
/src/b.go:4:2: example.invalid/a/v2@v2.1.0: reading proxy: 403 Forbidden
/src/c.go:5:2: example.invalid/a/v2@v2.1.0: reading proxy: 403 Forbidden
go: download go1.99.0: golang.org/toolchain@v0.0.1-go1.99.0.linux-amd64: reading proxy: 404 Not Found
go: example.invalid/c@v1.0.0: invalid version: unknown revision v1.0.0`;
  expect(refusedModules(stderr)).toEqual([
    'example.invalid/a/v2 v2.1.0',
    'golang.org/toolchain v0.0.1-go1.99.0.linux-amd64',
    'example.invalid/c v1.0.0',
  ]);
});
