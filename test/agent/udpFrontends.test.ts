import { describe, expect, test } from '@jest/globals';
import { UdpFrontends, type UdpService } from '../../src/agent/conntrack/udpFrontends.ts';
import { parseFlow, type UdpFlow } from '../../src/netfilter/conntrack/tools/conntrack.ts';

const dns = (...endpoints: string[]): UdpService => ({
  frontends: new Set(['10.96.0.10 53', '* 30053']),
  endpoints: new Set(endpoints),
});
const flow = (destination: string, port: number, reply: string): UdpFlow => {
  const [replySource = '', replyPort] = reply.split(' ');
  return {
    source: '10.0.0.1',
    sourcePort: 4000,
    destination,
    port,
    replySource,
    replyPort: Number(replyPort),
    zone: 0,
    id: 7,
  };
};
const toService = (reply: string): UdpFlow => flow('10.96.0.10', 53, reply);

interface Row {
  readonly name: string;
  /** What the Service serves, one step after the other; before the last one everything was checked. */
  readonly steps: readonly (readonly UdpService[])[];
  readonly flow: UdpFlow;
  readonly stale: boolean | 'not checked';
}

const one = dns('10.1.0.1 53');
const rows: readonly Row[] = [
  {
    name: 'to an endpoint that was replaced',
    steps: [[one], [dns('10.1.0.2 53')]],
    flow: toService('10.1.0.1 53'),
    stale: true,
  },
  {
    name: 'to an endpoint that stays beside a replaced one',
    steps: [[dns('10.1.0.1 53', '10.1.0.3 53')], [dns('10.1.0.2 53', '10.1.0.3 53')]],
    flow: toService('10.1.0.3 53'),
    stale: false,
  },
  {
    name: 'to the same pod at another target port',
    steps: [[one], [dns('10.1.0.1 5353')]],
    flow: toService('10.1.0.1 53'),
    stale: true,
  },
  {
    name: 'of a Service that lost all endpoints',
    steps: [[one], [dns()]],
    flow: toService('10.1.0.1 53'),
    stale: true,
  },
  { name: 'of a Service that was deleted', steps: [[one], []], flow: toService('10.1.0.1 53'), stale: true },
  {
    name: 'untranslated, from before the Service was served',
    steps: [[], [one]],
    flow: toService('10.96.0.10 53'),
    stale: true,
  },
  {
    name: 'untranslated, from while the Service had no endpoint',
    steps: [[dns()], [one]],
    flow: toService('10.96.0.10 53'),
    stale: true,
  },
  {
    name: 'while an endpoint only comes',
    steps: [[one], [dns('10.1.0.1 53', '10.1.0.2 53')]],
    flow: toService('10.1.0.1 53'),
    stale: 'not checked',
  },
  { name: 'while nothing changes', steps: [[one], [one]], flow: toService('10.1.0.1 53'), stale: 'not checked' },
  {
    name: 'to an address that is not ours',
    steps: [[one], []],
    flow: flow('192.0.2.53', 53, '192.0.2.53 53'),
    stale: false,
  },
  {
    name: 'to a NodePort at this node',
    steps: [[one], []],
    flow: flow('192.168.0.1', 30_053, '10.1.0.1 53'),
    stale: true,
  },
  {
    name: 'to a NodePort at this node, untranslated',
    steps: [[], [one]],
    flow: flow('192.168.0.1', 30_053, '192.168.0.1 30053'),
    stale: true,
  },
  {
    name: 'of another program to the number of a NodePort',
    steps: [[one], []],
    flow: flow('192.0.2.1', 30_053, '192.0.2.1 30053'),
    stale: false,
  },
];

describe('UdpFrontends', () => {
  test.each(rows)('judges a flow $name', ({ steps, flow: subject, stale }) => {
    const frontends = new UdpFrontends();
    for (const [index, services] of steps.entries()) {
      frontends.set('kube-system/dns', services);
      if (index < steps.length - 1) frontends.takeCheck();
    }
    expect(frontends.takeCheck()?.isStale(subject, (address) => address === '192.168.0.1') ?? 'not checked').toBe(
      stale,
    );
    expect(frontends.takeCheck()).toBeUndefined();
  });

  test('judges an address that went over to another Service by the endpoints of that one', () => {
    const frontends = new UdpFrontends();
    frontends.set('ns/old', [one]);
    frontends.takeCheck();
    frontends.set('ns/new', [dns('10.1.0.9 53')]);
    frontends.set('ns/old', []);
    const check = frontends.takeCheck();
    expect(check?.isStale(toService('10.1.0.1 53'), () => false)).toBe(true);
    expect(check?.isStale(toService('10.1.0.9 53'), () => false)).toBe(false);
  });

  test('checks again what could not be checked', () => {
    const frontends = new UdpFrontends();
    frontends.set('ns/dns', [one]);
    const check = frontends.takeCheck();
    if (check === undefined) throw new Error('no check is due');
    frontends.requeue(check);
    expect(frontends.takeCheck()?.frontends).toEqual(check.frontends);
  });
});

describe('parseFlow', () => {
  const lines = [
    {
      name: 'answered',
      line: 'udp      17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 src=10.1.0.2 dst=10.0.0.1 sport=5353 dport=4000 [ASSURED] mark=0 use=1 id=7',
      flow: toService('10.1.0.2 5353'),
    },
    {
      name: 'unanswered',
      line: 'udp      17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 [UNREPLIED] src=10.1.0.2 dst=10.0.0.1 sport=53 dport=4000 mark=0 use=1 id=7',
      flow: toService('10.1.0.2 53'),
    },
    {
      name: 'counted',
      line: 'udp      17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 packets=1 bytes=2 src=10.1.0.2 dst=10.0.0.1 sport=53 dport=4000 packets=1 bytes=2 [ASSURED] mark=0 use=1 id=7',
      flow: toService('10.1.0.2 53'),
    },
    {
      name: 'in a zone',
      line: 'udp      17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 src=10.1.0.2 dst=10.0.0.1 sport=53 dport=4000 mark=0 zone=5 use=1 id=7',
      flow: { ...toService('10.1.0.2 53'), zone: 5 },
    },
    {
      name: 'in a zone in the original direction',
      line: 'udp      17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 src=10.1.0.2 dst=10.0.0.1 sport=53 dport=4000 mark=0 zone-orig=5 use=1 id=7',
      flow: { ...toService('10.1.0.2 53'), zone: 5 },
    },
    {
      name: 'in a zone in the reply direction',
      line: 'udp      17 29 src=10.0.0.1 dst=10.96.0.10 sport=4000 dport=53 src=10.1.0.2 dst=10.0.0.1 sport=53 dport=4000 mark=0 zone-reply=5 use=1 id=7',
      flow: toService('10.1.0.2 53'),
    },
    {
      name: 'IPv6',
      line: 'udp      17 3 src=fd00::1 dst=fd00::a sport=4000 dport=53 src=fd00::2 dst=fd00::1 sport=53 dport=4000 mark=0 use=1 id=7',
      flow: { ...flow('fd00::a', 53, 'fd00::2 53'), source: 'fd00::1' },
    },
    {
      name: 'TCP',
      line: 'tcp      6 9 TIME_WAIT src=10.0.0.1 dst=10.96.0.1 sport=4000 dport=443 src=10.1.0.2 dst=10.0.0.1 sport=443 dport=4000 mark=0 use=1 id=7',
      flow: undefined,
    },
  ];
  test.each(lines)('reads a line that is $name', ({ line, flow: expected }) => {
    expect(parseFlow(line)).toEqual(expected);
  });
});
