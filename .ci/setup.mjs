#!/usr/bin/env node
/**
 * Installs what the repository's commands need and says what and why. Has no dependencies and runs on any Node from 20
 * on, because it runs before anything else is there. Takes well under two seconds when nothing is missing.
 *
 *   node .ci/setup.mjs          npm packages only: enough for render, lint, typecheck and build
 *   node .ci/setup.mjs test     and what the tests use; what cannot be installed is said, and those tests are left out
 *   node .ci/setup.mjs cluster  and what the local cluster needs; stops with the remedy when something is out of reach
 *
 * Exit status: 0 ready, 1 something is missing that this machine needs first.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.setup-stamp');

/** Debian packages, each with a file or a command that shows that it is there, and the reason for it. */
const debianPackages = [
  { name: 'iproute2', probe: 'ip', why: 'network namespaces for nodes, pods and clients' },
  { name: 'iptables', probe: 'iptables-restore', why: 'the iptables proxy mode' },
  { name: 'nftables', probe: 'nft', why: 'reading the kernel tables behind iptables-nft' },
  { name: 'conntrack', probe: 'conntrack', why: 'reading connections in tests' },
  { name: 'ipset', probe: 'ipset', why: 'the ipvs proxy mode' },
  { name: 'make', probe: 'make', why: 'building the kernel under test' },
  { name: 'bison', probe: 'bison', why: 'building the kernel under test: its configuration language' },
  { name: 'flex', probe: 'flex', why: 'building the kernel under test: its configuration language' },
  { name: 'bc', probe: 'bc', why: 'building the kernel under test: its constants of time' },
  { name: 'xz-utils', probe: 'xz', why: 'building the kernel under test: its source is packed so' },
  { name: 'kmod', probe: 'modprobe', why: 'installing and loading the modules of that kernel' },
  { name: 'ipvsadm', probe: 'ipvsadm', why: 'the ipvs proxy mode' },
  { name: 'python3', probe: '/usr/bin/python3', why: 'SCTP sockets in tests, which Node does not have' },
  { name: 'python3-venv', probe: '/usr/share/doc/python3-venv', why: 'checkov, in the full tests' },
  { name: 'runc', probe: 'runc', why: 'containers of the local cluster' },
  { name: 'containernetworking-plugins', probe: '/usr/lib/cni/ptp', why: 'pod networks of the local cluster' },
  { name: 'buildah', probe: 'buildah', why: 'building images without a registry' },
  { name: 'debootstrap', probe: 'debootstrap', why: "the images' Debian base" },
  { name: 'gcc', probe: 'gcc', why: 'the pause program of the local cluster, and the kernel under test' },
  {
    name: 'libc6-dev',
    probe: '/usr/include/stdlib.h',
    why: 'the pause program of the local cluster, and the kernel under test',
  },
  { name: 'util-linux', probe: 'nsenter', why: 'entering and leaving namespaces' },
  { name: 'procps', probe: 'sysctl', why: 'kernel settings inside of namespaces' },
  { name: 'openssl', probe: 'openssl', why: 'certificates of the local cluster' },
  { name: 'faketime', probe: 'faketime', why: 'programs with a wrong clock in tests' },
  { name: 'systemd', probe: 'systemd-analyze', why: 'reading the unit of an agent without a Pod; it is not started' },
  { name: 'redis-tools', probe: 'redis-cli', why: "the demo's Redis client outside of the cluster" },
  { name: 'curl', probe: 'curl', why: "the demo's HTTP client outside of the cluster" },
];

const isThere = (probe) =>
  probe.startsWith('/')
    ? existsSync(probe)
    : [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((dir) =>
        isExecutable(join(dir, probe)),
      );

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A remedy for a person; thrown for what this program cannot install by itself. */
class Missing extends Error {}

/** A wish that no machine can fulfil: nothing goes on without it. */
class Wrong extends Missing {}

/** Runs a program quietly with a line every ten seconds; its output is shown only when it fails. */
function run(title, command, args, options = {}) {
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  console.error(`set-up: ${title}`);
  const ticker = setInterval(() => console.error(`set-up: ${title}: ${seconds()} so far`), 10_000);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, ...options, stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(ticker);
      if (code === 0) resolve(console.error(`set-up: ${title}: done in ${seconds()}`));
      else {
        const message = `${title} failed (${command} exited ${code}).\n${output.slice(-4000)}`;
        reject(Object.assign(new Missing(message), { exitCode: code }));
      }
    });
  });
}

async function npmPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return linkProgram();
  await run('installing npm packages from package-lock.json (Node 24 among them)', 'npm', [
    'ci',
    '--loglevel=error',
    '--no-audit',
    '--no-fund',
  ]);
  linkProgram();
  writeFileSync(stamp, lock);
}

/**
 * `npx proxyconfig`, and `npx kubectl proxyconfig`, in a clone: npm links the programs of dependencies, not the
 * repository's own.
 */
function linkProgram() {
  const target = join('..', '..', 'src', 'proxyconfig.mjs');
  for (const name of ['proxyconfig', 'kubectl-proxyconfig']) {
    const link = join(root, 'node_modules', '.bin', name);
    const there = lstatSync(link, { throwIfNoEntry: false });
    if (there?.isSymbolicLink() && readlinkSync(link) === target) continue;
    mkdirSync(join(link, '..'), { recursive: true });
    if (there) rmSync(link);
    symlinkSync(target, link);
  }
}

async function aptPackages() {
  const missing = debianPackages.filter(({ probe }) => !isThere(probe));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const remedy = `Install these and run the command again: ${names.join(' ')}`;
  if (!isThere('apt-get'))
    throw new Missing(`This is not a Debian machine, so missing programs cannot be installed here. ${remedy}`);
  if (process.getuid?.() !== 0)
    throw new Missing(
      `Missing Debian packages can only be installed by root. Run as root, or: sudo apt-get install ${names.join(' ')}`,
    );
  for (const { name, why } of missing) console.error(`set-up: needs ${name}: ${why}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('reading the list of Debian packages', 'apt-get', ['update', '-q'], { env });
  await run(
    `installing ${names.length} Debian packages`,
    'apt-get',
    ['install', '-q', '-y', '--no-install-recommends', ...names],
    { env },
  );
}

/**
 * From 1.21 on Go fetches the version that a module asks for; an older one reads our go.mod and stops at a line that it
 * does not know.
 */
function goObstacle() {
  if (!isThere('go')) return 'Go is needed';
  const [, major, minor] =
    /^go version go(\d+)\.(\d+)/.exec(spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '') ?? [];
  return Number(major) > 1 || Number(minor) >= 21 ? undefined : `Go ${major ?? '?'}.${minor ?? '?'} is too old`;
}

/**
 * etcd, the control plane, kubelet, containerd, CoreDNS and the real kube-proxy: built once, cached by the hash of
 * their go.mod.
 */
async function clusterBinaries() {
  const node = join(root, 'node_modules', '.bin', 'node');
  const program = join(root, 'test', 'cluster', 'binaries.ts');
  const check = spawnSync(node, [program, '--check'], { cwd: root, encoding: 'utf8' });
  if (check.status === 0) return;
  if (check.status === 2) throw new Wrong(check.stderr.trim());
  const obstacle = goObstacle();
  if (!process.env.KUBEBUILDER_ASSETS && obstacle) {
    throw new Missing(
      `${obstacle} to build the local cluster's programs. Install Go 1.26 or newer, or point KUBEBUILDER_ASSETS at a folder that holds them.`,
    );
  }
  await run("building the local cluster's programs (about 8 minutes the first time, then cached)", node, [program], {
    stdio: ['ignore', 'inherit', 'inherit'],
  }).catch((error) => {
    throw error.exitCode === 2 ? new Wrong(error.message.trim()) : error;
  });
}

/** User Mode Linux with ip_vs, nftables and SCTP: built once, cached by the hash of its configuration. */
async function kernelUnderTest() {
  const node = join(root, 'node_modules', '.bin', 'node');
  const program = join(root, 'test', 'uml', 'kernelImage.ts');
  if (spawnSync(node, [program, '--check'], { cwd: root }).status === 0) return;
  if (process.arch !== 'x64') throw new Missing(`the kernel under test is one for x86-64, not for ${process.arch}.`);
  if (!isThere('apt-get')) throw new Missing("the kernel under test is built from Debian's package of its source.");
  await run('building the kernel under test (about 6 minutes the first time, then cached)', node, [program], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

function needsRoot() {
  if (process.getuid?.() !== 0)
    throw new Missing(
      'The local cluster makes network namespaces, mounts and cgroups: run the command as root (sudo).',
    );
}

const steps = {
  npm: [npmPackages],
  test: [npmPackages, aptPackages, clusterBinaries, kernelUnderTest],
  cluster: [needsRoot, npmPackages, aptPackages, clusterBinaries],
};

async function main(goal) {
  if (process.platform !== 'linux')
    throw new Missing('Service proxies exist on Linux only: run this on a Linux machine.');
  if (Number(process.versions.node.split('.')[0]) < 20)
    throw new Missing(`Node ${process.versions.node} is too old: install Node 20 or newer.`);
  const wanted = steps[goal];
  if (!wanted) throw new Missing(`unknown goal ${goal}; one of ${Object.keys(steps).join(', ')}`);
  for (const step of wanted) {
    try {
      await step();
    } catch (error) {
      // The tests still run without what only the cluster needs, and list at their end what they left out.
      const essential = goal !== 'test' || step === npmPackages || error instanceof Wrong || process.env.CI === 'true';
      if (!(error instanceof Missing) || essential) throw error;
      console.error(
        `set-up: ${error.message}\nset-up: going on without it; the tests that need it are listed at the end.`,
      );
    }
  }
}

try {
  await main(process.argv[2] ?? 'npm');
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
}
