/**
 * An agent follows the ServiceCIDRs of a real API server, which makes one of the range that it was started with.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { node, service, slice, withoutIdentity } from '../support/objects.ts';
import { AgentNode, type AgentProcess } from './agentNode.ts';

const extra = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'extra' },
  spec: { cidrs: ['10.123.0.0/24'] },
};
const checks =
  (network: string) =>
  (rules: string): boolean =>
    rules.includes(`-A KUBE-SERVICES -d ${network} `) && rules.includes('-A KUBE-CLUSTER-IPS-CHECK ');

// The tests follow on one another, on one node.
describeWhere(['root', 'cluster', 'iptables'], 'Agent and ServiceCIDRs', () => {
  let host: AgentNode;
  let agent: AgentProcess;
  let own: string;
  beforeAll(async () => {
    host = await AgentNode.start();
    await host.apply(
      withoutIdentity(node(host.name, ['192.168.0.1'])),
      ...[service('web'), slice('web')].map(withoutIdentity),
    );
    own = await host.kubectl(['get', 'servicecidr', 'kubernetes', '-o', 'jsonpath={.spec.cidrs[0]}']);
    agent = host.startAgent();
  }, 120_000);

  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  test('checks cluster IPs from the first sync on', async () => {
    await host.untilRules('the range is checked', checks(own));
    expect(await host.rules()).toMatch(/-A KUBE-CLUSTER-IPS-CHECK -d \S+\/32 -j KUBE-CLUSTER-IPS-REJECT/);
    expect(agent.log().match(/"message":"synced"/g)).toHaveLength(1);
  }, 60_000);

  test('follows one that is made, and one that is deleted', async () => {
    await host.apply(extra);
    await host.untilRules('it is checked', (rules) => checks('10.123.0.0/24')(rules) && checks(own)(rules));
    // Its finalizer is the controller manager's to take away, and there is none here.
    await host.kubectl(['patch', 'servicecidr', 'extra', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await host.kubectl(['delete', 'servicecidr', 'extra']);
    await host.untilRules('it is not', (rules) => !checks('10.123.0.0/24')(rules) && checks(own)(rules));
  }, 60_000);

  test("leaves another proxy's Service be, and follows its label", async () => {
    const label = 'service.kubernetes.io/service-proxy-name';
    const rule = /-A KUBE-CLUSTER-IPS-CHECK -d \S+\/32 .*"served by another proxy" -j RETURN/;
    await host.kubectl(['label', 'service', 'kubernetes', `${label}=other`]);
    await host.untilRules('it is let be', (rules) => rule.test(rules));
    await host.kubectl(['label', 'service', 'kubernetes', `${label}-`]);
    await host.untilRules('it is not', (rules) => !rule.test(rules));
  }, 60_000);
});
