/*
 * The client and the server of the benchmarks, in one network namespace whose endpoints' addresses are all local.
 *
 * A thread listens on the port given and tells every client which address it reached. Commands come as lines on standard input, each
 * is answered by one line; the program ends with its input.
 *
 *   until ADDRESS PORT EXPECTED MILLISECONDS   connects until EXPECTED answers (`*`: anybody): the time then, CLOCK_MONOTONIC, or `late`
 *   connect COUNT PORT FILE                    connects to the addresses in the file by turns: the median of connect(2), nanoseconds;
 *                                              an error if more than one of a hundred fail
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Inside of the cluster's range, so that no rule masquerades it. */
static const char *own_address = "10.244.255.254";

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct sockaddr_in address_of(const char *text, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

/* A reset instead of an orderly end: no port stays in TIME_WAIT. */
static void reset(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

static int client(int flags) {
  struct timeval patience = {.tv_sec = 1};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  struct sockaddr_in own = address_of(own_address, 0);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0) {
    perror("client socket");
    exit(1);
  }
  return fd;
}

static void *serve(void *argument) {
  int listener = *(int *)argument;
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    struct sockaddr_in reached;
    socklen_t length = sizeof reached;
    char text[INET_ADDRSTRLEN + 1];
    getsockname(fd, (struct sockaddr *)&reached, &length);
    inet_ntop(AF_INET, &reached.sin_addr, text, sizeof text);
    send(fd, text, strlen(text), MSG_NOSIGNAL);
    close(fd);
  }
  return NULL;
}

/* Who answers there within a few milliseconds, or an empty text. */
static void ask(const struct sockaddr_in *to, char *text, size_t size) {
  int fd = client(SOCK_NONBLOCK);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  text[0] = 0;
  if (connect(fd, (struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS) {
    ssize_t got = poll(&wait, 1, 5) == 1 ? recv(fd, text, size - 1, 0) : 0;
    text[got > 0 ? got : 0] = 0;
  }
  reset(fd);
}

static void until(const char *address, int port, const char *expected, long long milliseconds) {
  struct sockaddr_in to = address_of(address, port);
  long long deadline = now() + milliseconds * 1000000LL;
  char text[64];
  while (now() < deadline) {
    ask(&to, text, sizeof text);
    if (text[0] && (!strcmp(expected, "*") || !strcmp(expected, text))) {
      printf("%lld\n", now());
      return;
    }
    usleep(500);
  }
  puts("late");
}

static int ascending(const void *a, const void *b) {
  long long x = *(const long long *)a, y = *(const long long *)b;
  return (x > y) - (x < y);
}

static void connect_all(int count, int port, const char *file) {
  struct sockaddr_in *to = calloc(65536, sizeof *to);
  long long *took = calloc(count, sizeof *took);
  char line[64];
  int n = 0, failures = 0;
  FILE *in = fopen(file, "r");
  while (in && n < 65536 && fgets(line, sizeof line, in)) {
    line[strcspn(line, "\n")] = 0;
    to[n++] = address_of(line, port);
  }
  if (in) fclose(in);
  for (int i = 0; i < count && n > 0; i++) {
    int fd = client(0);
    long long start = now();
    /* A prime stride visits the addresses of the whole table, not only those at its start. */
    failures += connect(fd, (struct sockaddr *)&to[(i * 7919LL) % n], sizeof *to) != 0;
    took[i] = now() - start;
    /* Until the server has taken the connection, so that its queue never fills. */
    recv(fd, line, sizeof line, 0);
    reset(fd);
  }
  if (failures * 100 > count || n == 0) {
    printf("%d of %d connections failed: %s\n", failures, count, strerror(errno));
    goto end;
  }
  qsort(took, count, sizeof *took, ascending);
  printf("%lld\n", took[count / 2]);
end:
  free(to);
  free(took);
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 8080, one = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in any = address_of("0.0.0.0", port);
  pthread_t server;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 4096) < 0) {
    perror("listen");
    return 1;
  }
  pthread_create(&server, NULL, serve, &listener);
  char line[512], address[64], expected[64], file[256];
  int count, to_port;
  long long milliseconds;
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "until %63s %d %63s %lld", address, &to_port, expected, &milliseconds) == 4) until(address, to_port, expected, milliseconds);
    else if (sscanf(line, "connect %d %d %255s", &count, &to_port, file) == 3) connect_all(count, to_port, file);
    else puts("what?");
  }
  return 0;
}
