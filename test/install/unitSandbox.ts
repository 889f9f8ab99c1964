/**
 * @module A host as systemd shows it to a service: the directives of a unit as mounts, capabilities and a filter of
 * system calls, by util-linux and a program of our own. No systemd runs for it. What is not rebuilt exactly is stricter
 * here than there.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Directives } from './agentUnit.ts';

/** What one directive asks for. */
interface Effect {
  /** Lines of bash before the mounts: what the host has when the service starts. */
  readonly before?: readonly string[];
  /** Stay writable; absolute paths. */
  readonly writable?: readonly string[];
  /** Lines of bash that change the service's view of the host. */
  readonly mounts?: readonly string[];
  /** Lines of bash after all mounts; isWritable PATH says what has to stay as it is. */
  readonly readOnly?: readonly string[];
  readonly setpriv?: readonly string[];
  readonly families?: readonly string[];
  /** Groups of `systemd-analyze syscall-filter`. */
  readonly allowed?: readonly string[];
  /** System calls that fail. */
  readonly refused?: readonly string[];
}

const hide = (path: string): string => `[ ! -d ${path} ] || mount -t tmpfs -o ro,mode=000 hidden ${path}`;
const devices = ['null', 'zero', 'full', 'random', 'urandom'];
const addressFamilies: Readonly<Record<string, string>> = {
  AF_UNIX: '1',
  AF_INET: '2',
  AF_INET6: '10',
  AF_NETLINK: '16',
};
/** Bash that runs a command for each mount, as "$path". One that lies below another is not reached, and fails. */
const forEachMount = (command: string): string =>
  `while read -r _ _ _ _ path _; do ${command} 2>/dev/null || true; done < <(cat /proc/self/mountinfo)`;
const readOnly = 'mount -o remount,bind,ro "$path"';

/** Those that say when and how the service is started and ended. */
const ofTheManager = ['ExecStart', 'Restart', 'RestartSec', 'KillMode', 'TimeoutStopSec'];

const effects: Readonly<Record<string, (value: string) => Effect>> = {
  ...Object.fromEntries(ofTheManager.map((name) => [name, () => ({})])),
  // With `+` none of what follows applies to the command.
  ExecStartPre: (value) => ({ before: [value.replace(/^\+/, '')] }),
  StateDirectory: (name) => ({ before: [`mkdir -p /var/lib/${name}`], writable: [`/var/lib/${name}`] }),
  ReadWritePaths: (paths) => ({ writable: paths.split(' ') }),
  UMask: (mask) => ({ before: [`umask ${mask}`] }),
  CapabilityBoundingSet: (names) => ({
    setpriv: [
      '--inh-caps=-all',
      `--bounding-set=${['-all', ...names.split(' ').map((name) => name.replace('CAP_', '+').toLowerCase())].join()}`,
    ],
  }),
  NoNewPrivileges: () => ({ setpriv: ['--no-new-privs'] }),
  ProtectSystem: () => ({ readOnly: [forEachMount(`isWritable "$path" || ${readOnly}`)] }),
  ProtectHome: () => ({ mounts: ['/home', '/root', '/run/user'].map(hide) }),
  PrivateTmp: () => ({
    mounts: ['/tmp', '/var/tmp'].map((path) => `mount -t tmpfs -o mode=1777 private ${path}`),
    writable: ['/tmp', '/var/tmp'],
  }),
  PrivateDevices: () => ({
    mounts: [
      'mkdir -p /run/devices-of-service',
      ...devices.map((name) => `touch /run/devices-of-service/${name}`),
      ...devices.map((name) => `mount --bind /dev/${name} /run/devices-of-service/${name}`),
      'ln -sfn /proc/self/fd /run/devices-of-service/fd',
      'mount --rbind /run/devices-of-service /dev',
    ],
    refused: ['mknod', 'mknodat'],
  }),
  ProtectControlGroups: () => ({
    mounts: [forEachMount(`[[ $path != /sys/fs/cgroup* ]] || ${readOnly}`)],
  }),
  ProtectKernelModules: () => ({
    mounts: ['/usr/lib/modules'].map(hide),
    refused: ['init_module', 'finit_module', 'delete_module'],
  }),
  ProtectKernelLogs: () => ({ mounts: ['mount --bind /dev/null /proc/kmsg'], refused: ['syslog'] }),
  ProtectProc: (visibility) => ({ mounts: [`mount -t proc -o hidepid=${visibility} proc /proc`] }),
  ProtectClock: () => ({ refused: ['settimeofday', 'clock_settime', 'clock_adjtime', 'adjtimex'] }),
  ProtectHostname: () => ({ refused: ['sethostname', 'setdomainname'] }),
  LockPersonality: () => ({ refused: ['personality'] }),
  RestrictNamespaces: () => ({ refused: ['unshare', 'setns'] }),
  RestrictRealtime: () => ({ refused: ['sched_setscheduler', 'sched_setattr'] }),
  // Of the arguments of chmod: an agent gives no file's rights anything.
  RestrictSUIDSGID: () => ({ refused: ['chmod', 'fchmod', 'fchmodat'] }),
  RestrictAddressFamilies: (names) => ({ families: names.split(' ').map((name) => addressFamilies[name] ?? name) }),
  // As restrict.c has it, whatever the unit says.
  SystemCallArchitectures: () => ({}),
  SystemCallErrorNumber: () => ({}),
  SystemCallFilter: (groups) => ({ allowed: groups.split(' ') }),
};

/**
 * Writes into `directory`, which the service can read, what starts a program as the unit's service; answers the command
 * to put before it, for a mount namespace of its own. Throws for a directive that is not known here.
 */
export async function prepareSandbox(directives: Directives, directory: string, seenAt: string): Promise<string[]> {
  const all = directives.map(([name, value]) => {
    const effect = effects[name];
    if (effect === undefined) throw new Error(`${name}= is not rebuilt: say what it asks for`);
    return effect(value);
  });
  const of = (part: keyof Effect): string[] => all.flatMap((effect) => effect[part] ?? []);
  await compileFilter(directory, of('allowed'), of('refused'));
  await writeFile(join(directory, 'sandbox.sh'), script(of, seenAt));
  return ['unshare', '--mount', '--propagation', 'slave', 'bash', join(seenAt, 'sandbox.sh')];
}

function script(of: (part: keyof Effect) => string[], seenAt: string): string {
  return [
    'set -euo pipefail',
    ...of('before'),
    ...of('mounts'),
    ...of('writable').map((path) => `mount --bind ${path} ${path}`),
    `isWritable() { case "$1/" in ${['/dev', '/proc', '/sys', ...of('writable')].map((path) => `${path}/*`).join(' | ')}) ;; *) false ;; esac; }`,
    ...of('readOnly'),
    `exec setpriv ${of('setpriv').join(' ')} ${join(seenAt, 'restrict')} ${of('families').join(' ')} -- "$@"`,
    '',
  ].join('\n');
}

async function compileFilter(directory: string, groups: readonly string[], refused: readonly string[]): Promise<void> {
  const names = [...(await systemCalls(groups))].filter((name) => !refused.includes(name));
  const header = names.map((name) => `#ifdef __NR_${name}\n__NR_${name},\n#endif\n`).join('');
  await writeFile(join(directory, 'allowed.h'), header);
  const source = join(import.meta.dirname, 'restrict.c');
  const define = `-DALLOWED="${join(directory, 'allowed.h')}"`;
  await execa('gcc', ['-O1', '-Wall', '-Wextra', define, '-o', join(directory, 'restrict'), source]);
}

/** The members of groups of system calls, as this machine's systemd has them. */
async function systemCalls(groups: readonly string[]): Promise<Set<string>> {
  const { stdout } = await execa('systemd-analyze', ['syscall-filter', '--no-pager', ...groups]);
  const members = stdout.split('\n').flatMap((line) => /^ +([@\w-]+)$/.exec(line)?.[1] ?? []);
  const found = new Set(members.filter((member) => !member.startsWith('@')));
  const further = members.filter((member) => member.startsWith('@'));
  return further.length === 0 ? found : new Set([...found, ...(await systemCalls(further))]);
}
