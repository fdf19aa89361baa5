/* Connections on one epoll, with buffers that grow: all that the far sides and the mirror need of a network.
 * Everything runs in one thread; a connection is freed only after the events of one wait are through. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND 1000000000LL
#define MILLISECOND 1000000LL

typedef struct {
    uint8_t *bytes;
    size_t start, end, size;
} Buffer;

typedef struct Conn Conn;

struct Conn {
    int fd;
    bool connecting, closed, waits_for_room, touched, acknowledges_at_once;
    Buffer in, out;
    void (*on_readable)(Conn *); /* listeners: a connection waits; others: `in` has grown */
    void (*on_closed)(Conn *);
    bool is_listener;
    int port;       /* of the listener that took it */
    int64_t number; /* free for the owner: index of the message under way, kind of session, … */
    uint64_t life;  /* never used twice, so a late answer finds out that its connection is gone */
};

int64_t clock_ns(void); /* CLOCK_MONOTONIC */
int64_t cpu_ns(void);   /* user + system time of this process */

void net_open(void);
Conn *net_listen(int *port, bool refuse); /* port 0: a free one. refuse: bound, never listening */
Conn *net_accept(Conn *listener);         /* NULL when nobody waits */
Conn *net_connect(int port);
Conn *net_adopt(int fd);
void net_close(Conn *conn);
void net_wait(int64_t until_ns); /* one round of events, or nothing until then */
void net_flush(void);            /* write what the round has put into `out` */
uint8_t *net_room(Conn *conn, size_t length); /* space in `out`, already counted as written */
void net_send(Conn *conn, const void *bytes, size_t length);

static inline size_t buffer_length(const Buffer *buffer) { return buffer->end - buffer->start; }
static inline uint8_t *buffer_at(const Buffer *buffer) { return buffer->bytes + buffer->start; }
void buffer_drop(Buffer *buffer, size_t length);

static inline uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

/* HTTP/1.1 framing, shared by server and client: length of the first whole message in `in`, 0 when more
 * must come, -1 when it cannot be framed. `head` is the length up to and including the empty line. */
long http_message(const Buffer *in, size_t *head);

/* Digits after a prefix; -1 when they are not there. */
int64_t digits_at(const uint8_t *at, const uint8_t *end, int count);
#endif
