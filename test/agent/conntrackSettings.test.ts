import { describe, expect, test } from '@jest/globals';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
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
): Sysctls & { values: Record<string, number>; written: string[] } {
  const written: string[] = [];
  return {
    values,
    written,
    read: (paths) =>
      Promise.resolve(
        paths.some((path) => values[nameOf(path)] === undefined)
          ? undefined
          : new Map(paths.map((path) => [path, String(values[nameOf(path)])])),
      ),
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
});

describe('applySettings', () => {
  const max = { name: 'nf_conntrack_max', value: 1000, isMinimum: true };
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
      name: 'a greater size stays',
      settings: [max],
      kernel: kernelWith({ nf_conntrack_max: 5000 }),
      values: { nf_conntrack_max: 5000 },
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

describe('ConntrackSettings', () => {
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
