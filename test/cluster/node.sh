#!/bin/bash
# Becomes a node's first process: run in fresh network, mount, UTS, IPC and PID namespaces, with the machine's mounts
# still in view. What a node writes goes to mounts of its own; the rest of the file system is the machine's.
#
#   node.sh NAME SHARED OWN DATA PAUSE
#     SHARED  state directory of the cluster, kept visible at the same path
#     OWN     this node's directory in it
#     DATA    this node's directory on a disk, for /var/lib and /var/log
#     PAUSE   the program that stays as process 1 and reaps orphans
set -euo pipefail
name=$1 shared=$2 own=$3 data=$4 pause=$5

hostname "$name"
mkdir -p "$own"/{run,cgroup} "$data"/{lib,log}

# /run, so that sockets, pod namespaces and the lock of iptables are the node's own.
mount -t tmpfs -o mode=755 run "$own/run"
mkdir -p "$own/run${shared#/run}" "$own/run/lock"
mount --rbind "$shared" "$own/run${shared#/run}"
mount --rbind /sys/fs/cgroup "$own/cgroup"
cgroup=$own/cgroup
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --rbind "$cgroup" /sys/fs/cgroup
umount -l "$cgroup"
mount --bind "$data/lib" /var/lib
mount --bind "$data/log" /var/log
for file in hosts resolv.conf; do
  if [ -e "/etc/$file" ]; then mount --bind "$own/$file" "/etc/$file"; fi
done
mount --rbind "$own/run" /run
umount -l "$own/run" 2>/dev/null || true

# The kubelet wants these settings of the whole machine; it finds them as it wants them and leaves the machine alone.
pretend() {
  [ -e "/proc/sys/$1" ] || return 0
  echo "$2" >"/run/sysctl-${1//\//-}"
  mount --bind "/run/sysctl-${1//\//-}" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000

mount --make-rshared /
exec "$pause"
