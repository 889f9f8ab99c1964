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
ln -s "$kernel/lib/modules" /run/uml/lib/modules
printf '#!/bin/sh\ncase "$*" in *IPVS*) exit 1; esac\nexec /sbin/modprobe -d /run/uml "$@"\n' > /run/uml/modprobe
chmod +x /run/uml/modprobe
if [ "$modules" = loadable ]; then
  echo /run/uml/modprobe > /proc/sys/kernel/modprobe
else
  /sbin/modprobe -d /run/uml -a $(sed 's|.*/||; s|\.ko$||' "$kernel/lib/modules/$(uname -r)/modules.order") >&2
fi

# With 1 GB of memory connection tracking has room for 8192 connections, fewer than a table of packets makes in the two minutes that each is
# remembered; one more connection is silence.
echo 262144 > /proc/sys/net/netfilter/nf_conntrack_max

# For programs that look for the name alone: kube-proxy does.
for tool in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -s "/usr/sbin/$(echo "$tool" | sed "s/tables/tables-$iptables/")" "/usr/local/sbin/$tool"
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
