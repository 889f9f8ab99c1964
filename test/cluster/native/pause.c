/*
 * Does nothing but adopt and reap orphans. First process of a pod's sandbox, and of a node of the local cluster: both
 * are process namespaces, and what loses its parent there would stay as a zombie.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int signal_number) {
  (void)signal_number;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

static void leave(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  struct sigaction on_child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
  struct sigaction on_end = {.sa_handler = leave};
  if (sigaction(SIGCHLD, &on_child, NULL) != 0 || sigaction(SIGTERM, &on_end, NULL) != 0 || sigaction(SIGINT, &on_end, NULL) != 0) {
    return 1;
  }
  reap(SIGCHLD);
  for (;;) {
    pause();
  }
}
