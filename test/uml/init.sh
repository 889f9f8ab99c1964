#!/bin/sh
# The first process in the kernel under test. Its root is the machine's own file system, read-only; all that is written goes to memory.
#   init.sh WORKDIR PROGRAM ARGUMENTS...
# Runs the program, whose standard output the harness reads as lines of JSON, and halts.
set -e
mount -t proc proc /proc
mount -t sysfs sys /sys
for folder in /run /usr/local/sbin; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /run/lock /run/netns /run/tmp /run/uml/lib

# The modules stand where no program looks for them; programs of other namespaces cannot load any, so all are loaded now. Or none: then the
# kernel loads those that it asks for itself, as on any node. Older kernels do not ask for ip_vs.
ln -s /usr/lib/uml/modules /run/uml/lib/modules
printf '#!/bin/sh\ncase "$*" in *IPVS*) exit 1; esac\nexec /sbin/modprobe -d /run/uml "$@"\n' > /run/uml/modprobe
chmod +x /run/uml/modprobe
[ "$modules" != loadable ] || echo /run/uml/modprobe > /proc/sys/kernel/modprobe
[ "$modules" = loadable ] || /sbin/modprobe -d /run/uml -a \
  ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_lblc ip_vs_lblcr ip_vs_sh ip_vs_dh ip_vs_sed ip_vs_nq ip_vs_mh ip_vs_fo ip_vs_ovf \
  ip_set ip_set_bitmap_port ip_set_hash_ip ip_set_hash_ipport ip_set_hash_ipportip ip_set_hash_ipportnet ip_set_hash_net xt_set \
  nf_conntrack nf_conntrack_netlink nf_nat xt_nat xt_MASQUERADE xt_REDIRECT xt_mark xt_comment xt_addrtype xt_statistic xt_recent xt_conntrack xt_multiport xt_tcpudp xt_sctp xt_ipvs ipt_REJECT ip6t_REJECT \
  ip_tables ip6_tables iptable_nat iptable_filter iptable_mangle ip6table_nat ip6table_filter ip6table_mangle dummy veth bridge sctp hmac md5 sha1_generic >&2

# With 1 GB of memory connection tracking has room for 8192 connections, fewer than a table of packets makes in the two minutes that each is
# remembered; one more connection is silence.
[ "$modules" = loadable ] || echo 262144 > /proc/sys/net/netfilter/nf_conntrack_max

# This kernel has no nftables, and Debian's iptables is the nft one.
for tool in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -s "/usr/sbin/$(echo "$tool" | sed 's/tables/tables-legacy/')" "/usr/local/sbin/$tool"
done
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/tmp
# Node keeps there what it has compiled, in a folder of the machine: reading and stripping the modules of a program is half of its start here.
[ -z "$codecache" ] || { mkdir /run/code; mount -t hostfs -o "$codecache" code /run/code; export NODE_COMPILE_CACHE=/run/code; }
stty raw -echo < /dev/console
ip link set lo up
cd "$1"
shift
echo "{\"kernel\":\"$(uname -r)\"}"
set +e
"$@"
echo "{\"ended\":$?}"
halt -f -d
