/*
 * restrict FAMILY... -- COMMAND: becomes the command, which may make sockets of these address families (by number) and
 * the system calls of ALLOWED alone, a header with their numbers; all others give EPERM, as systemd's
 * RestrictAddressFamilies= (EAFNOSUPPORT there), SystemCallFilter=, SystemCallErrorNumber=EPERM and
 * SystemCallArchitectures=native have it.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static const unsigned allowed[] = {
#include ALLOWED
};

static struct sock_filter program[4096];
static unsigned short length;

static void add(struct sock_filter statement) { program[length++] = statement; }

static void load(size_t offset) { add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }

static void decide(unsigned value) { add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value)); }

static void decide_if_equal(unsigned number, unsigned value) {
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
  decide(value);
}

int main(int count, char **words) {
  char **word = words + 1;
  load(offsetof(struct seccomp_data, arch));
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
  decide(SECCOMP_RET_ERRNO | EPERM);
  load(offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    if (allowed[i] != __NR_socket) decide_if_equal(allowed[i], SECCOMP_RET_ALLOW);
  }
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 1, 0));
  decide(SECCOMP_RET_ERRNO | EPERM);
  load(offsetof(struct seccomp_data, args));
  for (; word < words + count && strcmp(*word, "--") != 0; word++) decide_if_equal(atoi(*word), SECCOMP_RET_ALLOW);
  decide(SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  struct sock_fprog filter = {.len = length, .filter = program};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    perror("seccomp");
    return 1;
  }
  execvp(word[1], word + 1);
  perror(word[1]);
  return 127;
}
