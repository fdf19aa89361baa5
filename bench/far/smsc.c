/* The SMSC: an SMPP 3.4 server that takes any bind.
 *
 * In work "received" it sends deliver_sm; in work "loop" it answers submit_sm with an id and then sends the
 * receipt, after a delay or at once. Both keep the window over all sessions, and both are sent again when
 * they were refused or their session went away, as a network would. Only whole, well-formed traffic is
 * looked at: this is a measuring instrument, not a conformance test. */
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BIND_RECEIVER = 0x01, BIND_TRANSMITTER = 0x02, BIND_TRANSCEIVER = 0x09,
    SUBMIT_SM = 0x04, DELIVER_SM = 0x05, UNBIND = 0x06, ENQUIRE_LINK = 0x15,
    GENERIC_NACK = 0x80000000, RESPONSE = 0x80000000, /* SMPP 3.4 §5.1.2.1 */
    INVALID_COMMAND = 0x03,
};
enum { HEADER = 16, SESSIONS = 64 };
enum { RECEIVES = 1 }; /* Conn.number: this session takes deliver_sm */

typedef struct {
    int64_t number, due_at;
} Due;

typedef struct { /* first in, first out: every entry waits equally long */
    Due *entries;
    size_t head, tail, size;
} Queue;

static const int64_t REFUSED_WAIT = 100 * MILLISECOND;
static const char TEXT[] = "B0000000000 please call me back this evening";
static Conn *sessions[SESSIONS];
static int session_count, turn;
static Queue receipts, again;
static char date[11];

static void put_due(Queue *queue, int64_t number, int64_t due_at) {
    if (queue->tail == queue->size) {
        memmove(queue->entries, queue->entries + queue->head, (queue->tail - queue->head) * sizeof(Due));
        queue->tail -= queue->head, queue->head = 0;
        if (queue->tail * 2 >= queue->size) {
            queue->size = queue->size ? queue->size * 2 : 4096;
            queue->entries = realloc(queue->entries, queue->size * sizeof(Due));
            if (!queue->entries) exit(1);
        }
    }
    queue->entries[queue->tail++] = (Due){number, due_at};
}

static bool is_due(const Queue *queue, int64_t now) {
    return queue->head < queue->tail && queue->entries[queue->head].due_at <= now;
}

static int64_t due_at(const Queue *queue) {
    return queue->head < queue->tail ? queue->entries[queue->head].due_at : INT64_MAX;
}

static void put_digits(uint8_t *at, int64_t value, int count) {
    for (int i = count; i-- > 0; value /= 10) at[i] = (uint8_t)('0' + value % 10);
}

static void put_header(uint8_t *at, size_t length, uint32_t command, uint32_t status, uint32_t sequence) {
    put32(at, (uint32_t)length), put32(at + 4, command), put32(at + 8, status), put32(at + 12, sequence);
}

static void answer(Conn *conn, uint32_t command, uint32_t status, uint32_t sequence, const char *id) {
    size_t length = HEADER + (id ? strlen(id) + 1 : 0);
    uint8_t *at = net_room(conn, length);
    put_header(at, length, command, status, sequence);
    if (id) memcpy(at + HEADER, id, strlen(id) + 1);
}

/* deliver_sm, SMPP 3.4 §4.6.1. Both kinds of body have one length each, so they are templates with holes. */
static size_t body(uint8_t *at, bool receipt, int64_t number) {
    char text[160];
    uint8_t *start = at;
    static const uint8_t international[] = {0, 1, 1}; /* service_type, ton, npi */
    static const uint8_t plain[] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (receipt)
        snprintf(text, sizeof text,
                 "id:7%010lld sub:001 dlvrd:001 submit date:%s done date:%s stat:DELIVRD err:000 text:B%010lld",
                 (long long)number, date, date, (long long)number);
    memcpy(at, international, 3), at += 3;
    memcpy(at, PHONE_PREFIX, 4), put_digits(at + 4, number % 100000000, PHONE_DIGITS), at[12] = 0, at += 13;
    *at++ = 1, *at++ = 1;
    if (receipt) {
        memcpy(at, SENDER, sizeof SENDER), at += sizeof SENDER;
    } else {
        int64_t account = work.first + (number - work.base) % work.accounts;
        memcpy(at, CUSTOMER_PREFIX, 4), put_digits(at + 4, account, PHONE_DIGITS), at[12] = 0, at += 13;
    }
    *at = receipt ? 4 : 0; /* esm_class, SMPP 3.4 §5.2.12 */
    memcpy(at + 1, plain, sizeof plain), at += 1 + sizeof plain;
    size_t length = receipt ? strlen(text) : sizeof TEXT - 1;
    *at++ = (uint8_t)length;
    memcpy(at, receipt ? text : TEXT, length);
    if (!receipt) put_digits(at + 1, number, MARKER_DIGITS);
    return (size_t)(at + length - start);
}

static void deliver(Conn *conn, int64_t number, int64_t now) {
    uint8_t pdu[512];
    Message *message = work_find(number);
    size_t length = HEADER + body(pdu + HEADER, work.is_loop, number);
    put_header(pdu, length, DELIVER_SM, 0, (uint32_t)(number & 0x3fffffff) + 1);
    net_send(conn, pdu, length);
    message->sent_at = now;
    message->state = SENT;
    message->session = conn->life;
    work.open++;
}

static Conn *next_session(void) {
    for (int i = 0; i < session_count; i++) {
        Conn *conn = sessions[turn++ % session_count];
        if (conn->number == RECEIVES) return conn;
    }
    return NULL;
}

int smsc_bound(void) {
    int count = 0;
    for (int i = 0; i < session_count; i++) count += sessions[i]->number == RECEIVES;
    return count;
}

void smsc_start(void) {
    time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%y%m%d%H%M", gmtime_r(&now, &utc));
    receipts.head = receipts.tail = again.head = again.tail = 0;
}

void smsc_pump(int64_t now) {
    if (!work.running || !smsc_bound()) return;
    while (work.open < work.window) {
        if (is_due(&again, now)) {
            deliver(next_session(), again.entries[again.head++].number, now);
            work.resent++;
        } else if (work.is_loop && is_due(&receipts, now)) {
            deliver(next_session(), receipts.entries[receipts.head++].number, now);
        } else if (!work.is_loop && work.begun < work_allowed(now)) {
            deliver(next_session(), work.base + work.begun++, now);
        } else {
            return;
        }
    }
}

int64_t smsc_next_at(void) {
    int64_t next = due_at(&again), other = due_at(&receipts);
    if (!work.running || work.open >= work.window || !smsc_bound()) return INT64_MAX;
    if (other < next) next = other;
    other = work.is_loop ? INT64_MAX : work_next_at();
    return other < next ? other : next;
}

static void answered(uint32_t sequence, uint32_t status, int64_t now) {
    int64_t number = (int64_t)sequence - 1;
    Message *message = work_find(number);
    if (!message || message->state != SENT) return;
    work.open--;
    if (status) {
        work.refused++;
        message->state = SUBMITTED;
        put_due(&again, number, now + REFUSED_WAIT);
        return;
    }
    message->state = ACKED;
    work.acked++;
    work_accepted(message, now);
}

static const uint8_t *after_string(const uint8_t *at, const uint8_t *end) {
    const uint8_t *zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
    return zero ? zero + 1 : end;
}

static void submitted(Conn *conn, const uint8_t *at, const uint8_t *end, uint32_t sequence, int64_t now) {
    char id[24];
    at = after_string(at, end);                     /* service_type, SMPP 3.4 §4.4.1 */
    at = after_string(at + 2 < end ? at + 2 : end, end); /* source */
    int64_t phone = end - at > 6 ? digits_at(at + 2 + 4, end, PHONE_DIGITS) : -1;
    int64_t number = phone < 0 ? -1 : work.base + ((phone - work.base) % 100000000 + 100000000) % 100000000;
    Message *message = work.is_loop ? work_find(number) : NULL;
    if (!message) work.stale++;
    snprintf(id, sizeof id, "7%010lld", (long long)(number < 0 ? 0 : number));
    answer(conn, SUBMIT_SM | RESPONSE, 0, sequence, id);
    if (message && message->state == ASKED) {
        message->state = SUBMITTED;
        put_due(&receipts, number, now + work.delay_ns);
    }
}

static void take(Conn *conn, const uint8_t *pdu, size_t length, int64_t now) {
    uint32_t command = get32(pdu + 4), status = get32(pdu + 8), sequence = get32(pdu + 12);
    switch (command) {
    case DELIVER_SM | RESPONSE: answered(sequence, status, now); break;
    case GENERIC_NACK: answered(sequence, status ? status : INVALID_COMMAND, now); break;
    case SUBMIT_SM: submitted(conn, pdu + HEADER, pdu + length, sequence, now); break;
    case BIND_RECEIVER:
    case BIND_TRANSMITTER:
    case BIND_TRANSCEIVER:
        conn->number = command == BIND_TRANSMITTER ? 0 : RECEIVES;
        answer(conn, command | RESPONSE, 0, sequence, "far");
        break;
    case UNBIND:
        conn->number = 0;
        answer(conn, UNBIND | RESPONSE, 0, sequence, NULL);
        break;
    case ENQUIRE_LINK: answer(conn, ENQUIRE_LINK | RESPONSE, 0, sequence, NULL); break;
    default:
        if (!(command & RESPONSE)) answer(conn, GENERIC_NACK, INVALID_COMMAND, sequence, NULL);
    }
}

static void readable(Conn *conn) {
    int64_t now = clock_ns();
    while (buffer_length(&conn->in) >= HEADER && !conn->closed) {
        size_t length = get32(buffer_at(&conn->in));
        if (length < HEADER || length > 64 * 1024) {
            net_close(conn);
            return;
        }
        if (buffer_length(&conn->in) < length) return;
        take(conn, buffer_at(&conn->in), length, now);
        buffer_drop(&conn->in, length);
    }
}

static void gone(Conn *conn) {
    for (int i = 0; i < session_count; i++)
        if (sessions[i] == conn) sessions[i--] = sessions[--session_count];
    for (int64_t i = 0; work.running && i < work.n; i++) {
        Message *message = &work.messages[i];
        if (message->state != SENT || message->session != conn->life) continue;
        message->state = SUBMITTED;
        work.open--;
        put_due(&again, work.base + i, 0);
    }
}

static void accepting(Conn *listener) {
    for (Conn *conn; (conn = net_accept(listener));) {
        conn->on_readable = readable;
        conn->on_closed = gone;
        conn->acknowledges_at_once = true;
        if (session_count < SESSIONS)
            sessions[session_count++] = conn;
        else
            net_close(conn);
    }
}

void smsc_listen(int *port) { net_listen(port, false)->on_readable = accepting; }
