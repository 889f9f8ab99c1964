/**
 * The modules of the kernel: who may load them, and that a kernel which has loaded none of them runs mode ipvs
 * afterwards.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { runInKernel } from '../uml/kernel.ts';
import { agentPod, missingModule, type ModulesReport } from './agentPod.ts';

const { initContainers, containers, volumes } = agentPod;

describe('in the Pod of an agent', () => {
  test('one container runs before the agent, is privileged, and cannot change the modules that it sees', () => {
    expect(initContainers).toHaveLength(1);
    expect(initContainers[0]).toMatchObject({
      securityContext: { privileged: true, readOnlyRootFilesystem: true },
      volumeMounts: [{ name: 'modules', mountPath: '/lib/modules', readOnly: true }],
    });
    expect(volumes).toContainEqual({ name: 'modules', hostPath: { path: '/lib/modules' } });
  });

  test('the agent is not privileged and does not see them', () => {
    expect(containers).toHaveLength(1);
    expect(containers[0]?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
    });
    expect(containers[0]?.volumeMounts.map(({ name }) => name)).not.toContain('modules');
  });
});

describeWhere(['kernel'], 'on a kernel that has loaded no module', () => {
  const reports = new Map<string, ModulesReport>();
  const seen = (when: ModulesReport['when']): ModulesReport => {
    const report = reports.get(when);
    if (report === undefined) throw new Error(`nothing was reported ${when}`);
    return report;
  };

  beforeAll(async () => {
    const timeoutMs = 600_000;
    await runInKernel({
      program: '../install/modulesInKernel.ts',
      timeoutMs,
      modules: 'loadable',
      onLine: (line) => reports.set((line as ModulesReport).when, line as ModulesReport),
    });
  }, 610_000);

  test('mode ipvs is refused at first, with the module by name', () => {
    expect(seen('before').loaded).not.toContain('ip_vs');
    expect(seen('before').refusals).toEqual([
      expect.stringContaining('no IP virtual servers (modprobe ip_vs; CONFIG_IP_VS)'),
      expect.stringContaining('no IP virtual servers'),
    ]);
  });

  test('one that is missing is named, and stops no other', () => {
    const { words, loaded, builtIn } = seen('after');
    expect(words).toContain(`${missingModule} not found`);
    expect(words.match(/ not found/g)).toHaveLength(1);
    const wanted = (initContainers[0]?.args ?? []).filter((name) => !builtIn.includes(name));
    expect(wanted).toEqual(expect.arrayContaining(['ip_vs_rr', 'xt_set', 'ip_set_hash_ip', 'dummy']));
    expect(loaded).toEqual(expect.arrayContaining(wanted));
  });

  test('afterwards mode ipvs runs in both families', () => {
    expect(seen('after').refusals).toEqual(['none', 'none']);
  });
});
