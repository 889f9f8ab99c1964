import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isExecutable } from './binaries.ts';

/** Programs that the cluster takes from the machine, with the Debian package that has them. */
const tools: Readonly<Record<string, string>> = {
  buildah: 'buildah',
  conntrack: 'conntrack',
  debootstrap: 'debootstrap',
  flock: 'util-linux',
  gcc: 'gcc and libc6-dev',
  ip: 'iproute2',
  iptables: 'iptables',
  nsenter: 'util-linux',
  openssl: 'openssl',
  runc: 'runc',
  setpriv: 'util-linux',
  sysctl: 'procps',
  unshare: 'util-linux',
};

/** Debian's place for CNI plugins, and the one that others use. */
export const cniPluginDirectories = ['/usr/lib/cni', '/opt/cni/bin'];
const cniPlugins = ['host-local', 'loopback', 'portmap', 'ptp', 'tuning'];

/** Says all that is missing at once, and how to get it, before anything is started. */
export function checkRequirements(): void {
  if (process.getuid?.() !== 0) throw new Error('the local cluster makes namespaces, which takes root: use sudo');
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const missingTools = Object.keys(tools).filter((tool) => !folders.some((folder) => isExecutable(join(folder, tool))));
  const missingPlugins = cniPlugins.filter(
    (plugin) => !cniPluginDirectories.some((folder) => existsSync(join(folder, plugin))),
  );
  const missing = [
    ...missingTools.map((tool) => `${tool} (Debian package ${tools[tool]})`),
    ...missingPlugins.map((plugin) => `CNI plugin ${plugin} (Debian package containernetworking-plugins)`),
  ];
  if (missing.length > 0) throw new Error(`the local cluster needs: ${missing.join(', ')}`);
}
