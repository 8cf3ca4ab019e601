/*
 * The physical limit: copies what comes in on one connection to every other one that has subscribed to anything. It reads no subjects
 * and counts nothing, so whoever sends writes what whoever receives expects.
 *
 *   publisher ──read──► one buffer ──write──► subscriber, subscriber, …   (one thread, blocking writes: back-pressure for nothing)
 *
 * Of NATS it knows as much as the load needs to begin: text up to the first PING, which it answers; SUB in that text makes a subscriber.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, READ_BYTES = 256 * 1024, GREETING_BYTES_MAX = 4096 };

struct connection {
  int open;
  int greeted;
  int subscribed;
  int greeting_bytes;
  char greeting[GREETING_BYTES_MAX];
};

/* Index 0 is the listener. */
static struct pollfd polled[CONNECTIONS_MAX];
static struct connection connections[CONNECTIONS_MAX];
static int used = 1;
static char buffer[READ_BYTES];

static void end_connection(int index) {
  close(polled[index].fd);
  polled[index].fd = -1;
  connections[index].open = 0;
}

static void write_all(int index, const char *bytes, ssize_t length) {
  while (length > 0) {
    ssize_t written = write(polled[index].fd, bytes, length);
    if (written <= 0) {
      end_connection(index);
      return;
    }
    bytes += written;
    length -= written;
  }
}

static int listen_anywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1024) < 0) return -1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("Listening for client connections on 127.0.0.1:%d\nServer is ready\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void accept_one(void) {
  int one = 1;
  int socket = accept(polled[0].fd, NULL, NULL);
  int index = 1;
  while (index < used && connections[index].open) index++;
  if (socket < 0 || index == CONNECTIONS_MAX) {
    close(socket);
    return;
  }
  if (index == used) used++;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  memset(&connections[index], 0, sizeof connections[index]);
  connections[index].open = 1;
  polled[index] = (struct pollfd){.fd = socket, .events = POLLIN};
}

static void greet(int index, ssize_t length) {
  struct connection *connection = &connections[index];
  if (connection->greeting_bytes + length >= GREETING_BYTES_MAX) {
    end_connection(index);
    return;
  }
  memcpy(connection->greeting + connection->greeting_bytes, buffer, length);
  connection->greeting_bytes += length;
  if (strstr(connection->greeting, "PING\r\n") == NULL) return;
  connection->subscribed = strstr(connection->greeting, "\r\nSUB ") != NULL;
  connection->greeted = 1;
  write_all(index, "PONG\r\n", 6);
}

static void relay(int from, ssize_t length) {
  for (int to = 1; to < used; to++)
    if (to != from && connections[to].open && connections[to].subscribed) write_all(to, buffer, length);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  polled[0] = (struct pollfd){.fd = listen_anywhere(), .events = POLLIN};
  if (polled[0].fd < 0) return 1;
  for (;;) {
    poll(polled, used, -1);
    if (polled[0].revents) accept_one();
    for (int index = 1; index < used; index++) {
      if (!connections[index].open || !polled[index].revents) continue;
      ssize_t length = read(polled[index].fd, buffer, READ_BYTES);
      if (length <= 0) end_connection(index);
      else if (connections[index].greeted) relay(index, length);
      else greet(index, length);
    }
  }
}
