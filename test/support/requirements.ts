/**
 * @module What a test needs of the machine, and why this machine lacks it.
 *
 * A suite that cannot run here is listed at the end of the run with its reason; with CI=true that list must be empty
 * (reporter.ts).
 */
import { describe, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { goEnvironment } from '../cluster/goModules.ts';
import { missingBinaries } from '../cluster/binaries.ts';
import { defaultKubernetes } from '../cluster/kubernetesVersion.ts';
import { kernelObstacle } from '../uml/kernelImage.ts';

/**
 * Programs of the machine by name, `root`, or what is built here: actionlint, the kernel under test, all programs of the
 * local cluster.
 */
export type Requirement =
  | 'root'
  | 'cluster'
  | 'actionlint'
  | 'go modules'
  | 'debian'
  | 'iptables'
  | 'netns'
  | 'kernel'
  | 'faketime'
  | 'systemd-analyze';

const found = new Map<Requirement, string | undefined>();

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** That version's go.mod alone is asked for. */
function isKubernetesFetched(): boolean {
  const env = { ...process.env, ...goEnvironment, GOFLAGS: '-mod=mod' };
  const args = ['list', '-m', `k8s.io/kubernetes@${defaultKubernetes()}`];
  return spawnSync('go', args, { stdio: 'ignore', cwd: tmpdir(), env }).status === 0;
}

const reasons: Record<Requirement, () => string | undefined> = {
  root: () => (process.getuid?.() === 0 ? undefined : 'needs root'),
  cluster: () =>
    missingBinaries().length === 0
      ? undefined
      : "the local cluster's programs are not built: node .ci/setup.mjs cluster",
  actionlint: () =>
    missingBinaries(['actionlint']).length === 0 ? undefined : 'actionlint is not built: node .ci/setup.mjs test',
  'go modules': () =>
    isKubernetesFetched() ? undefined : 'needs Go, and its module proxy or what it has fetched before',
  iptables: () => (succeeds('iptables-restore', ['--version']) ? undefined : 'needs the Debian package iptables'),
  netns: () =>
    process.getuid?.() === 0 || succeeds('unshare', ['-Urnm', 'true'])
      ? undefined
      : 'needs root or unprivileged user namespaces',
  debian: () => (succeeds('apt-get', ['--version']) ? undefined : "needs Debian's apt-get"),
  faketime: () => (succeeds('faketime', ['--version']) ? undefined : 'needs the Debian package faketime'),
  'systemd-analyze': () =>
    succeeds('systemd-analyze', ['--version']) ? undefined : 'needs the Debian package systemd',
  kernel: kernelObstacle,
};

/** Why this machine cannot meet a requirement, or undefined when it can. */
export function reasonAgainst(requirement: Requirement): string | undefined {
  if (!found.has(requirement)) found.set(requirement, reasons[requirement]());
  return found.get(requirement);
}

/**
 * `describe` for suites that need something of the machine; where it is missing, one skipped test carries the reason.
 */
export function describeWhere(requirements: readonly Requirement[], name: string, body: () => void): void {
  describeUnless(
    requirements.map(reasonAgainst).find((text) => text !== undefined),
    name,
    body,
  );
}

/** The same for a reason that was found otherwise. */
export function describeUnless(reason: string | undefined, name: string, body: () => void): void {
  if (reason === undefined) describe(name, body);
  else describe(name, () => test.skip(`cannot run here: ${reason}`, () => undefined));
}
