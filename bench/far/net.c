/* See net.h. A failing system call that no run can survive ends the program with its name. */
#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, TOUCHED = 1 << 16, READ_AT_ONCE = 64 * 1024 };

static int epoll_fd;
static Conn *touched[TOUCHED], *closed[TOUCHED];
static int touched_count, closed_count;
static uint64_t lives;

static void die(const char *what) {
    perror(what);
    exit(1);
}

int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

int64_t cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

void net_open(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) die("epoll_create1");
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* a fixed rate is sent on time */
}

static void watch(Conn *conn, int operation) {
    struct epoll_event event = {.data.ptr = conn};
    event.events = EPOLLIN | (conn->connecting || conn->waits_for_room ? EPOLLOUT : 0);
    if (epoll_ctl(epoll_fd, operation, conn->fd, &event) < 0) die("epoll_ctl");
}

Conn *net_adopt(int fd) {
    Conn *conn = calloc(1, sizeof *conn);
    if (!conn) die("calloc");
    conn->fd = fd;
    conn->life = ++lives;
    watch(conn, EPOLL_CTL_ADD);
    return conn;
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

Conn *net_listen(int *port, bool refuse) {
    struct sockaddr_in address = loopback(*port);
    socklen_t length = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = ntohs(address.sin_port);
    if (refuse) return NULL; /* the port stays ours, and the kernel refuses whoever comes */
    if (listen(fd, 1024) < 0) die("listen");
    Conn *conn = net_adopt(fd);
    conn->is_listener = true;
    conn->port = *port;
    return conn;
}

static void quick(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

Conn *net_accept(Conn *listener) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return NULL;
    quick(fd);
    Conn *conn = net_adopt(fd);
    conn->port = listener->port;
    return conn;
}

Conn *net_connect(int port) {
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    quick(fd);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        close(fd);
        return NULL;
    }
    Conn *conn = net_adopt(fd);
    conn->connecting = true;
    conn->port = port;
    watch(conn, EPOLL_CTL_MOD);
    return conn;
}

void net_close(Conn *conn) {
    if (conn->closed) return;
    conn->closed = true;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    close(conn->fd);
    if (conn->on_closed) conn->on_closed(conn);
    if (closed_count == TOUCHED) die("too many closed connections");
    closed[closed_count++] = conn;
}

void buffer_drop(Buffer *buffer, size_t length) {
    buffer->start += length;
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
}

static uint8_t *buffer_room(Buffer *buffer, size_t length) {
    if (buffer->size - buffer->end < length) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer_length(buffer));
        buffer->end -= buffer->start, buffer->start = 0;
        if (buffer->size - buffer->end < length) {
            buffer->size = (buffer->end + length) * 2;
            buffer->bytes = realloc(buffer->bytes, buffer->size);
            if (!buffer->bytes) die("realloc");
        }
    }
    return buffer->bytes + buffer->end;
}

uint8_t *net_room(Conn *conn, size_t length) {
    uint8_t *room = buffer_room(&conn->out, length);
    conn->out.end += length;
    if (!conn->touched) {
        if (touched_count == TOUCHED) die("too many connections");
        conn->touched = true;
        touched[touched_count++] = conn;
    }
    return room;
}

void net_send(Conn *conn, const void *bytes, size_t length) { memcpy(net_room(conn, length), bytes, length); }

static void write_out(Conn *conn) {
    if (conn->closed || conn->connecting || !buffer_length(&conn->out)) return;
    ssize_t sent = send(conn->fd, buffer_at(&conn->out), buffer_length(&conn->out), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        net_close(conn);
        return;
    }
    if (sent > 0) buffer_drop(&conn->out, (size_t)sent);
    bool waits = buffer_length(&conn->out) > 0;
    if (waits != conn->waits_for_room) {
        conn->waits_for_room = waits;
        watch(conn, EPOLL_CTL_MOD);
    }
}

void net_flush(void) {
    for (int i = 0; i < touched_count; i++) {
        touched[i]->touched = false;
        write_out(touched[i]);
    }
    touched_count = 0;
    for (int i = 0; i < closed_count; i++) {
        free(closed[i]->in.bytes);
        free(closed[i]->out.bytes);
        free(closed[i]);
    }
    closed_count = 0;
}

/* A peer that leaves Nagle's algorithm on waits for the acknowledgement of its last small write, and Linux
 * holds that back for 40 ms when there is nothing to send. That would be measured as the peer's slowness. */
static void acknowledge(int fd) {
    int one = 1; /* the kernel forgets it, so it is said after each read */
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

static void read_in(Conn *conn) {
    uint8_t *room = buffer_room(&conn->in, READ_AT_ONCE);
    ssize_t got = read(conn->fd, room, conn->in.size - conn->in.end);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        net_close(conn);
        return;
    }
    conn->in.end += (size_t)got;
    if (conn->acknowledges_at_once) acknowledge(conn->fd);
    conn->on_readable(conn);
}

static void happened(Conn *conn, uint32_t events) {
    if (conn->closed) return;
    if (conn->is_listener) {
        conn->on_readable(conn);
        return;
    }
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && conn->connecting) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) {
            net_close(conn);
            return;
        }
        conn->connecting = false;
        watch(conn, EPOLL_CTL_MOD);
    }
    if (events & EPOLLOUT) write_out(conn);
    if (!conn->closed && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_in(conn);
}

void net_wait(int64_t until_ns) {
    struct epoll_event events[EVENTS];
    int64_t left = until_ns - clock_ns();
    if (left < 0) left = 0;
    struct timespec timeout = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    int count = epoll_pwait2(epoll_fd, events, EVENTS, &timeout, NULL);
    if (count < 0 && errno != EINTR) die("epoll_pwait2");
    for (int i = 0; i < count; i++) happened(events[i].data.ptr, events[i].events);
}

long http_message(const Buffer *in, size_t *head) {
    static const char name[] = "\r\ncontent-length:";
    const uint8_t *at = buffer_at(in), *end = in->bytes + in->end;
    if (!buffer_length(in)) return 0;
    const uint8_t *empty = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
    if (!empty) return end - at > 64 * 1024 ? -1 : 0;
    *head = (size_t)(empty - at) + 4;
    size_t body = 0;
    if (*at != 'G') /* a GET has no body here */
        for (const uint8_t *p = at; (p = memchr(p, '\r', (size_t)(empty - p))); p++)
            if ((size_t)(empty - p) > sizeof name - 1 && !strncasecmp((const char *)p, name, sizeof name - 1))
                body = strtoul((const char *)p + sizeof name - 1, NULL, 10);
    if (body > 1 << 20) return -1;
    return (size_t)(end - at) < *head + body ? 0 : (long)(*head + body);
}

int64_t digits_at(const uint8_t *at, const uint8_t *end, int count) {
    int64_t value = 0;
    if (end - at < count) return -1;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}
