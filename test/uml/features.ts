/**
 * @module What the tests ask of the kernel under test, each as a script for a fresh network namespace: so a feature that
 * the kernel has lost is named, in place of a riddle in some other test.
 */

export interface Feature {
  readonly name: string;
  /** For `sh -e`, after the prelude. Fails where the kernel lacks it. */
  readonly script: string;
}

export interface FeatureReport {
  readonly feature: string;
  /** What the script said when it failed. */
  readonly failure?: string;
}

const reaches = (protocol: 'tcp' | 'sctp', address: string): string =>
  `python3 test/uml/reaches.py ${protocol} ${address.includes(':') ? endpoint.ipv6 : endpoint.ipv4} 8080 ${address} 80`;

const endpoint = { ipv4: '10.0.0.1', ipv6: 'fd00::1' };
const virtual = { ipv4: '10.96.0.1', ipv6: 'fd00:10:96::1' };

/** Before every script: an address to connect to and one of an endpoint, of each family. */
export const prelude = `
  ip link set lo up
  ip addr add ${endpoint.ipv4}/32 dev lo
  ip addr add ${virtual.ipv4}/32 dev lo
  ip -6 addr add ${endpoint.ipv6}/128 dev lo nodad
  ip -6 addr add ${virtual.ipv6}/128 dev lo nodad`;

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'];
const sets = [
  'bitmap:port range 0-65535',
  'hash:ip',
  'hash:ip,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'hash:net',
];

const ipvs: readonly Feature[] = [
  {
    name: 'ip_vs: a virtual server of each protocol and family, with each scheduler',
    script: schedulers
      .map((scheduler, index) =>
        ['-t', '-u', '--sctp-service']
          .map(
            (protocol) => `
  ipvsadm -A ${protocol} ${virtual.ipv4}:${100 + index} -s ${scheduler}
  ipvsadm -A ${protocol} [${virtual.ipv6}]:${100 + index} -s ${scheduler}`,
          )
          .join(''),
      )
      .join(''),
  },
  {
    name: 'ip_vs: TCP and SCTP arrive, with connection tracking',
    script: `
  echo 1 > /proc/sys/net/ipv4/vs/conntrack
  ipvsadm -A -t ${virtual.ipv4}:80 -s rr; ipvsadm -a -t ${virtual.ipv4}:80 -r ${endpoint.ipv4}:8080 -m
  ipvsadm -A --sctp-service ${virtual.ipv4}:80 -s rr; ipvsadm -a --sctp-service ${virtual.ipv4}:80 -r ${endpoint.ipv4}:8080 -m
  ipvsadm -A -t [${virtual.ipv6}]:80 -s rr; ipvsadm -a -t [${virtual.ipv6}]:80 -r [${endpoint.ipv6}]:8080 -m
  ${reaches('tcp', virtual.ipv4)}; ${reaches('sctp', virtual.ipv4)}; ${reaches('tcp', virtual.ipv6)}`,
  },
];

const nftables: readonly Feature[] = [
  {
    name: 'nftables: a table of family inet translates by maps, numgen and fib',
    script: `
  nft -f - <<'END'
table inet test {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = { ${virtual.ipv4} . tcp . 80 : goto service }; }
  chain service { numgen random mod 2 vmap { 0 : goto one, 1 : goto two }; }
  chain one { meta l4proto tcp dnat ip to ${endpoint.ipv4}:8080; }
  chain two { meta l4proto tcp dnat ip to ${endpoint.ipv4}:8080; }
  chain output {
    type nat hook output priority -100;
    fib daddr type local ip daddr . meta l4proto . th dport vmap @services
    ip6 daddr ${virtual.ipv6} tcp dport 80 dnat ip6 to [${endpoint.ipv6}]:8080
  }
}
END
  ${reaches('tcp', virtual.ipv4)}; ${reaches('tcp', virtual.ipv6)}`,
  },
  {
    name: 'nftables: masquerade, redirect, reject, notrack, limits, ct, jhash, interval sets, flow tables and synproxy load',
    script: `
  ip link add one type veth peer name two
  nft -f - <<'END'
table inet test {
  set networks { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 }; }
  set clients { type ipv4_addr; flags dynamic,timeout; timeout 1h; }
  flowtable fast { hook ingress priority 0; devices = { one, two }; }
  chain source { type nat hook postrouting priority 100; meta mark 0x4000 masquerade fully-random; }
  chain destination { type nat hook prerouting priority -100; tcp dport 81 redirect to :8080; tcp dport 82 dnat ip to jhash ip saddr mod 2 map { 0 : ${endpoint.ipv4}, 1 : ${endpoint.ipv4} }; }
  chain untracked { type filter hook prerouting priority -300; udp dport 53 notrack; tcp dport 83 tcp flags syn notrack; }
  chain forwarded {
    type filter hook forward priority 0;
    ct state established,related accept
    ct state invalid drop
    ip saddr . tcp dport @networks limit rate 10/second counter accept
    update @clients { ip saddr } quota over 1 mbytes drop
    ct count over 1000 reject with tcp reset
    tcp dport 83 ct state untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    ip protocol tcp flow add @fast
    ct mark set meta mark
    meta l4proto udp reject
  }
}
END`,
  },
];

/** As this project and kube-proxy word their rules. */
const rules = (to: string, mask: string, rejection: string): string => `*nat
:KUBE-SVC-X - [0:0]
:KUBE-SEP-X - [0:0]
-A PREROUTING -m comment --comment "x" -j KUBE-SVC-X
-A OUTPUT -m comment --comment "x" -j KUBE-SVC-X
-A KUBE-SVC-X -p sctp -m sctp --dport 80 -j DNAT --to-destination ${to}
-A KUBE-SVC-X -m recent --name KUBE-SEP-X --rcheck --seconds 60 --reap --mask ${mask} --rsource -j KUBE-SEP-X
-A KUBE-SVC-X -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 -j KUBE-SEP-X
-A KUBE-SVC-X -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 80 -j KUBE-SEP-X
-A KUBE-SEP-X -p tcp -m recent --name KUBE-SEP-X --set --mask ${mask} --rsource -m tcp -j DNAT --to-destination ${to}
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
-A POSTROUTING -j MARK --xor-mark 0x4000
COMMIT
*filter
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p udp -m multiport --dports 80,90 -j REJECT --reject-with ${rejection}
COMMIT
*mangle
COMMIT
`;

function iptablesFeature(variant: 'nft' | 'legacy'): Feature {
  const load = (tool: string, text: string): string => `
  ${tool}-${variant}-restore --noflush <<'END'
${text}END`;
  return {
    name: `iptables-${variant}: TCP and SCTP are translated, in both families`,
    script: `
  ${load('iptables', rules(`${endpoint.ipv4}:8080`, '255.255.255.255', 'icmp-port-unreachable'))}
  ${load('ip6tables', rules(`[${endpoint.ipv6}]:8080`, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'icmp6-port-unreachable'))}
  ${reaches('tcp', virtual.ipv4)}; ${reaches('sctp', virtual.ipv4)}; ${reaches('tcp', virtual.ipv6)}; ${reaches('sctp', virtual.ipv6)}`,
  };
}

const others: readonly Feature[] = [
  {
    name: 'IP sets of each type that ipvs mode has, asked by rules of both iptables',
    script: `
  ${sets.map((type, index) => `ipset create set-${index} ${type}`).join('\n  ')}
  ipset create services hash:ip,port; ipset add services ${virtual.ipv4},tcp:80
  iptables-nft -t nat -A OUTPUT -p tcp -m set --match-set services dst,dst -j DNAT --to-destination ${endpoint.ipv4}:8080
  ${reaches('tcp', virtual.ipv4)}
  iptables-nft -t nat -F
  iptables-legacy -t nat -A OUTPUT -p tcp -m set --match-set services dst,dst -j DNAT --to-destination ${endpoint.ipv4}:8080
  ${reaches('tcp', virtual.ipv4)}`,
  },
  {
    name: 'netem: packets are lost, and arrive again without it',
    script: `
  nft add table ip test
  nft 'add chain ip test output { type nat hook output priority -100; }'
  nft add rule ip test output ip daddr ${virtual.ipv4} tcp dport 80 dnat to ${endpoint.ipv4}:8080
  tc qdisc add dev lo root netem loss 100%
  if ${reaches('tcp', virtual.ipv4)}; then exit 1; fi
  tc qdisc replace dev lo root netem delay 1ms
  ${reaches('tcp', virtual.ipv4)}`,
  },
  {
    name: 'connection tracking: flows are listed, and deleted',
    script: `
  iptables-nft -A INPUT -m conntrack --ctstate NEW -j ACCEPT
  conntrack -I -p udp -s 10.0.0.2 -d ${virtual.ipv4} --sport 1000 --dport 53 -t 60 -u SEEN_REPLY
  conntrack -L -p udp | grep 'dport=53'
  conntrack -D -p udp --orig-dst ${virtual.ipv4}
  if conntrack -L -p udp | grep 'dport=53'; then exit 1; fi`,
  },
  {
    name: 'devices: dummy, bridge, veth, vlan, vxlan, macvlan, ipvlan and tun, and none but lo without being asked',
    script: `
  test "$(ls /sys/class/net)" = lo
  ip link add dummy1 type dummy; ip link add bridge1 type bridge
  ip link add one type veth peer name two; ip link set one master bridge1
  ip link add link one name one.5 type vlan id 5; ip link add link two name macvlan1 type macvlan
  ip link add link dummy1 name ipvlan1 type ipvlan; ip tuntap add tap1 mode tap
  ip link add vxlan1 type vxlan id 5 dstport 4789 local ${endpoint.ipv4}`,
  },
];

export const features: readonly Feature[] = [
  ...ipvs,
  ...nftables,
  iptablesFeature('nft'),
  iptablesFeature('legacy'),
  ...others,
];
