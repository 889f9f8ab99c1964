import { cpus as onlineCpus } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { builtIn, type DesiredConfig } from '../../src/agent/config/desiredConfig.ts';
import {
  applySettings,
  ConntrackSettings,
  conntrackSettings,
  settingsCondition,
} from '../../src/agent/conntrack/conntrackSettings.ts';
import { builtInConfig } from '../../src/api/defaults.ts';
import type { Sysctls } from '../../src/system/sysctl.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';

const { conntrack: defaults } = builtInConfig();

const nameOf = (path: string): string => path.replace('net/netfilter/', '');

function kernelWith(
  values: Record<string, number>,
  readOnly: readonly string[] = [],
): Sysctls & { values: Record<string, number>; written: string[]; asked: string[] } {
  const [written, asked]: [string[], string[]] = [[], []];
  return {
    values,
    written,
    asked,
    read: (paths) => {
      asked.push(...paths.map(nameOf));
      return Promise.resolve(
        paths.some((path) => values[nameOf(path)] === undefined)
          ? undefined
          : new Map(paths.map((path) => [path, String(values[nameOf(path)])])),
      );
    },
    write: (path, value) => {
      if (readOnly.includes(nameOf(path)) || values[nameOf(path)] === undefined)
        return Promise.reject(new Error('read-only'));
      written.push(nameOf(path));
      values[nameOf(path)] = Number(value);
      return Promise.resolve();
    },
  };
}

describe('conntrackSettings', () => {
  const rows = [
    {
      name: "kube-proxy's defaults on 2 CPUs: the minimum size",
      config: defaults,
      cpus: 2,
      expected: {
        nf_conntrack_max: 131_072,
        nf_conntrack_buckets: 32_768,
        nf_conntrack_tcp_timeout_established: 86_400,
        nf_conntrack_tcp_timeout_close_wait: 3600,
      },
    },
    { name: 'many CPUs: so many for each', config: defaults, cpus: 64, expected: { nf_conntrack_max: 2_097_152 } },
    {
      name: 'maxPerCore 0 leaves the size alone',
      config: { ...defaults, maxPerCore: 0, tcpEstablishedTimeoutSeconds: 0 },
      cpus: 2,
      expected: {
        nf_conntrack_max: undefined,
        nf_conntrack_buckets: undefined,
        nf_conntrack_tcp_timeout_established: undefined,
      },
    },
    {
      name: 'all of them',
      config: { ...defaults, tcpBeLiberal: true, udpTimeoutSeconds: 10, udpStreamTimeoutSeconds: 20 },
      cpus: 2,
      expected: { nf_conntrack_tcp_be_liberal: 1, nf_conntrack_udp_timeout: 10, nf_conntrack_udp_timeout_stream: 20 },
    },
  ];
  test.each(rows)('$name', ({ config, cpus, expected }) => {
    const asked = Object.fromEntries(conntrackSettings(config, cpus).map(({ name, value }) => [name, value]));
    for (const [name, value] of Object.entries(expected)) expect([name, asked[name]]).toEqual([name, value]);
  });

  test('counts the CPUs of the node, whichever of them the agent may use', async () => {
    const script = `
      import { conntrackSettings } from './src/agent/conntrack/conntrackSettings.ts';
      console.log(conntrackSettings(${JSON.stringify({ ...defaults, maxPerCore: 1000, min: 0 })})[0].value);`;
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const { stdout } = await execa('taskset', ['--cpu-list', '0', ...node]);
    expect(Number(stdout)).toBe(1000 * onlineCpus().length);
  });
});

describe('applySettings', () => {
  const max = { name: 'nf_conntrack_max', value: 1000, isMinimum: true };
  const buckets = { name: 'nf_conntrack_buckets', value: 250, isMinimum: true };
  const timeout = { name: 'nf_conntrack_udp_timeout', value: 30, isMinimum: false };
  const rows = [
    {
      name: 'the size is raised',
      settings: [max],
      kernel: kernelWith({ nf_conntrack_max: 500 }),
      values: { nf_conntrack_max: 1000 },
      refused: [],
    },
    {
      name: 'a greater size stays, and its hash table',
      settings: [max, buckets],
      kernel: kernelWith({ nf_conntrack_max: 5000, nf_conntrack_buckets: 5000 }),
      values: { nf_conntrack_max: 5000, nf_conntrack_buckets: 5000 },
      refused: [],
    },
    {
      name: 'the hash table is raised where the size is great enough',
      settings: [max, buckets],
      kernel: kernelWith({ nf_conntrack_max: 5000, nf_conntrack_buckets: 100 }),
      values: { nf_conntrack_max: 5000, nf_conntrack_buckets: 250 },
      refused: [],
    },
    {
      name: 'a time-out is set either way',
      settings: [timeout],
      kernel: kernelWith({ nf_conntrack_udp_timeout: 120 }),
      values: { nf_conntrack_udp_timeout: 30 },
      refused: [],
    },
    {
      name: 'one that may not be written is named with what it is, the next is set',
      settings: [max, timeout],
      kernel: kernelWith({ nf_conntrack_max: 500, nf_conntrack_udp_timeout: 1 }, ['nf_conntrack_max']),
      values: { nf_conntrack_max: 500, nf_conntrack_udp_timeout: 30 },
      refused: ['nf_conntrack_max = 1000 (is 500)'],
    },
    {
      name: 'one that the kernel does not have',
      settings: [max],
      kernel: kernelWith({}),
      values: {},
      refused: ['nf_conntrack_max = 1000 (is unknown to this kernel)'],
    },
  ];
  test.each(rows)('$name', async ({ settings, kernel, values, refused }) => {
    expect(await applySettings(settings, kernel)).toEqual(refused);
    expect(kernel.values).toEqual(values);
    const before = kernel.written.length;
    await applySettings(settings, kernel);
    expect(kernel.written).toHaveLength(before);
  });
});

describe('settingsCondition', () => {
  test('names what was not set, and the remedy', () => {
    expect(settingsCondition([])).toEqual([]);
    expect(settingsCondition(['nf_conntrack_max = 1000 (is 500)'])).toMatchObject([
      {
        type: 'ConntrackSettings',
        status: 'False',
        message: expect.stringMatching(/nf_conntrack_max = 1000 \(is 500\).*Mount/),
      },
    ]);
  });
});

const sizeOf = (maxPerCore: number): DesiredConfig['config'] => ({
  ...builtInConfig(),
  conntrack: {
    maxPerCore,
    min: maxPerCore,
    tcpEstablishedTimeoutSeconds: 0,
    tcpCloseWaitTimeoutSeconds: 0,
    tcpBeLiberal: false,
  },
});

describe('ConntrackSettings', () => {
  test('a configuration with a lower size lowers nothing', async () => {
    const kernel = kernelWith({ nf_conntrack_max: 1000, nf_conntrack_buckets: 250 });
    const settings = new ConntrackSettings({ sysctls: kernel, logger: silentLogger, onStatusChange: () => undefined });
    settings.apply({ ...builtIn(), config: sizeOf(100_000) });
    await until('the size is raised', () => (kernel.values['nf_conntrack_buckets'] ?? 0) > 250);
    const raised = { ...kernel.values };
    kernel.written.length = 0;
    await until('it was asked whether that was taken', () => kernel.asked.at(-1) === 'nf_conntrack_buckets');
    kernel.asked.length = 0;
    settings.apply({ ...builtIn(), config: sizeOf(10_000) });
    await until('the lower size was looked at', () => kernel.asked.includes('nf_conntrack_buckets'));
    await settings.stop();
    expect({ values: kernel.values, written: kernel.written }).toEqual({ values: raised, written: [] });
    expect(raised['nf_conntrack_max']).toBeGreaterThanOrEqual(100_000);
  });

  test('a table that the agent has no right to size is a condition, and no failure', async () => {
    const kernel = kernelWith({ nf_conntrack_max: 1000, nf_conntrack_buckets: 250 }, [
      'nf_conntrack_max',
      'nf_conntrack_buckets',
    ]);
    const errors: unknown[] = [];
    const settings = new ConntrackSettings({
      sysctls: kernel,
      logger: { ...silentLogger, error: (message) => errors.push(message) },
      onStatusChange: () => undefined,
    });
    settings.apply({ ...builtIn(), config: sizeOf(100_000) });
    await until('there is a condition', () => settings.conditions().length > 0);
    await settings.stop();
    expect(settings.conditions()).toMatchObject([
      { type: 'ConntrackSettings', reason: 'NotWritable', message: expect.stringContaining('nf_conntrack_max = ') },
    ]);
    expect({ errors, values: kernel.values }).toEqual({
      errors: [],
      values: { nf_conntrack_max: 1000, nf_conntrack_buckets: 250 },
    });
  });

  test('tries again what the kernel refused, until somebody has mended it, and says so', async () => {
    const [readOnly, warnings, seen]: [string[], unknown[], number[]] = [['nf_conntrack_udp_timeout'], [], []];
    const kernel = kernelWith(
      { nf_conntrack_max: 5_000_000, nf_conntrack_buckets: 5_000_000, nf_conntrack_udp_timeout: 1 },
      readOnly,
    );
    const settings = new ConntrackSettings({
      sysctls: kernel,
      logger: { ...silentLogger, warn: (message) => warnings.push(message) },
      onStatusChange: () => seen.push(settings.conditions().length),
      retryMs: 5,
    });
    const conntrack = {
      ...defaults,
      tcpEstablishedTimeoutSeconds: 0,
      tcpCloseWaitTimeoutSeconds: 0,
      udpTimeoutSeconds: 30,
    };
    settings.apply({ ...builtIn(), config: { ...builtInConfig(), conntrack } });
    try {
      await until('it is refused', () => seen.length === 1);
      readOnly.length = 0;
      await until('it is written', () => seen.length === 2);
    } finally {
      await settings.stop();
    }
    expect({ seen, warnings: warnings.length, written: kernel.values['nf_conntrack_udp_timeout'] }).toEqual({
      seen: [1, 0],
      warnings: 1,
      written: 30,
    });
  });
});
