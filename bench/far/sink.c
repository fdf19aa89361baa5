/* The customers: an HTTP/1.1 server that answers every request with 200 and a small body, at once or, on a
 * slow port, after the slow time. A dead customer is a port that nobody listens on (net_listen, refuse). */
#define _GNU_SOURCE
#include "work.h"

#include <stdlib.h>
#include <string.h>

enum { SLOW_AT_ONCE = 1 << 16, SLOW = 1 };
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK";

static struct {
    Conn *conn;
    uint64_t life;
    int64_t due_at;
} waiting[SLOW_AT_ONCE]; /* a ring: everybody waits equally long */
static size_t head, tail;

/* A received message is known by its text, a report ("REPORT <id> <status>") by the phone it came from. */
static int64_t number_in(const uint8_t *at, const uint8_t *end) {
    static const char message[] = "smsmsg=B", phone[] = "smsfrom=" PHONE_PREFIX, json[] = "\"B";
    const uint8_t *found = memmem(at, (size_t)(end - at), message, sizeof message - 1);
    if (found) return digits_at(found + sizeof message - 1, end, MARKER_DIGITS);
    if ((found = memmem(at, (size_t)(end - at), phone, sizeof phone - 1))) {
        int64_t digits = digits_at(found + sizeof phone - 1, end, PHONE_DIGITS);
        return digits < 0 ? -1 : work.base + ((digits - work.base) % 100000000 + 100000000) % 100000000;
    }
    for (; (found = memmem(at, (size_t)(end - at), json, sizeof json - 1)); at = found + 1) {
        int64_t digits = digits_at(found + sizeof json - 1, end, MARKER_DIGITS);
        if (digits >= 0) return digits;
    }
    return -1;
}

static void readable(Conn *conn) {
    int64_t now = clock_ns();
    size_t head_length;
    long length;
    while ((length = http_message(&conn->in, &head_length)) > 0) {
        const uint8_t *at = buffer_at(&conn->in), *end = at + length;
        const uint8_t *line = memchr(at, '\r', (size_t)length);
        int64_t number = *at == 'G' ? number_in(at, line) : number_in(at + head_length, end);
        if (number < 0)
            work.failed++;
        else
            work_pushed(number, now);
        buffer_drop(&conn->in, (size_t)length);
        if (conn->number != SLOW) {
            net_send(conn, ANSWER, sizeof ANSWER - 1);
        } else if (tail - head < SLOW_AT_ONCE) {
            waiting[tail % SLOW_AT_ONCE].conn = conn;
            waiting[tail % SLOW_AT_ONCE].life = conn->life;
            waiting[tail++ % SLOW_AT_ONCE].due_at = now + work.slow_ns;
        } else {
            net_close(conn);
        }
    }
    if (length < 0) net_close(conn);
}

static void gone(Conn *conn) {
    for (size_t i = head; conn->number == SLOW && i < tail; i++)
        if (waiting[i % SLOW_AT_ONCE].conn == conn) waiting[i % SLOW_AT_ONCE].conn = NULL;
}

void sink_pump(int64_t now) {
    for (; head < tail && waiting[head % SLOW_AT_ONCE].due_at <= now; head++) {
        Conn *conn = waiting[head % SLOW_AT_ONCE].conn;
        if (conn) net_send(conn, ANSWER, sizeof ANSWER - 1);
    }
}

int64_t sink_next_at(void) { return head < tail ? waiting[head % SLOW_AT_ONCE].due_at : INT64_MAX; }

static void accept_with(Conn *listener, int64_t kind) {
    for (Conn *conn; (conn = net_accept(listener));) {
        conn->on_readable = readable;
        conn->on_closed = gone;
        conn->number = kind;
    }
}

static void accepting(Conn *listener) { accept_with(listener, 0); }

static void accepting_slow(Conn *listener) { accept_with(listener, SLOW); }

void sink_listen(int *port, bool slow) {
    net_listen(port, false)->on_readable = slow ? accepting_slow : accepting;
}
