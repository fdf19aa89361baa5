/* A gateway that keeps nothing: what the far sides could carry if the gateway cost almost nothing.
 *
 *     mirror SMSC_PORT SINK_PORT [connections]
 *
 * It binds, pushes every deliver_sm and acknowledges it when its push has left, and takes submissions on the HTTP port that it
 * prints: {"port": 1}. It ends with its standard input. Never compare a real gateway with it: it forgets. */
#define _GNU_SOURCE
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PUSHES = 256, WAITING = 1 << 16, HEADER = 16, LIFE_S = 1800 };
enum { BIND_TRANSCEIVER = 0x09, SUBMIT_SM = 0x04, DELIVER_SM = 0x05 };
#define RESPONSE 0x80000000u

typedef struct {
    uint16_t length;
    uint8_t sequence[4];
    char request[300];
} Push;

static Conn *line, *pushes[PUSHES];
static int push_count = 50, idle_count, idle[PUSHES];
static Push *waiting;
static size_t head, tail;
static uint32_t sequence = 1;
static bool ended;

static void send_push(Conn *conn, const Push *push) {
    uint8_t *answer = net_room(line, HEADER + 1);
    put32(answer, HEADER + 1), put32(answer + 4, DELIVER_SM | RESPONSE), put32(answer + 8, 0);
    memcpy(answer + 12, push->sequence, 4), answer[HEADER] = 0;
    net_send(conn, push->request, push->length);
}

static void push_answered(Conn *conn) {
    size_t head_length;
    long length;
    while ((length = http_message(&conn->in, &head_length)) > 0) {
        buffer_drop(&conn->in, (size_t)length);
        if (head < tail) {
            send_push(conn, &waiting[head++ % WAITING]);
            continue;
        }
        for (int i = 0; i < push_count; i++)
            if (pushes[i] == conn) idle[idle_count++] = i;
    }
}

static void queue_push(const uint8_t *pdu, const char *phone, const char *customer, const char *text, size_t length) {
    Push *push = &waiting[tail++ % WAITING];
    if (tail - head > WAITING) exit(2);
    memcpy(push->sequence, pdu + 12, 4);
    char *at = push->request + sprintf(push->request, "GET /in?smsfrom=%s&smsto=%s&smsid=1&smsmsg=", phone, customer);
    for (size_t i = 0; i < length && i < 100; i++) *at++ = text[i] == ' ' ? '+' : text[i];
    at += sprintf(at, "&bits=7 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    push->length = (uint16_t)(at - push->request);
    if (idle_count) send_push(pushes[idle[--idle_count]], &waiting[head++ % WAITING]);
}

static void delivered(const uint8_t *pdu) {
    const char *phone = (const char *)pdu + HEADER + 3; /* the far side sends no service_type */
    const char *customer = phone + strlen(phone) + 3;
    const char *rest = customer + strlen(customer) + 1;
    if (rest[0] & 4)
        queue_push(pdu, phone, customer, "REPORT 1 DELIVERED", 18);
    else
        queue_push(pdu, phone, customer, rest + 10, (uint8_t)rest[9]);
}

static void from_network(Conn *conn) {
    while (buffer_length(&conn->in) >= HEADER) {
        const uint8_t *pdu = buffer_at(&conn->in);
        size_t length = get32(pdu);
        if (buffer_length(&conn->in) < length) return;
        if (get32(pdu + 4) == DELIVER_SM) delivered(pdu);
        buffer_drop(&conn->in, length);
    }
}

static void submitted(Conn *conn) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n1";
    size_t head_length;
    long length;
    while ((length = http_message(&conn->in, &head_length)) > 0) {
        const char *to = memmem(buffer_at(&conn->in), (size_t)length, "smsto=", 6);
        uint8_t pdu[HEADER + 64] = {0}, *at = pdu + HEADER + 1;
        *at++ = 5, *at++ = 0, at += sprintf((char *)at, "60999") + 1;
        *at++ = 1, *at++ = 1;
        if (to) memcpy(at, to + 6, 12);
        at += 13 + 10;
        put32(pdu, (uint32_t)(at - pdu)), put32(pdu + 4, SUBMIT_SM), put32(pdu + 12, sequence++);
        net_send(line, pdu, (size_t)(at - pdu));
        net_send(conn, answer, sizeof answer - 1);
        buffer_drop(&conn->in, (size_t)length);
    }
}

static void accepting(Conn *listener) {
    for (Conn *conn; (conn = net_accept(listener));) conn->on_readable = submitted;
}

static void ignore(Conn *conn) { buffer_drop(&conn->in, buffer_length(&conn->in)); }

static void over(Conn *conn) {
    (void)conn;
    ended = true;
}

int main(int argc, char **argv) {
    static const char credentials[] = "bench\0bench\0\0\x34\0\0"; /* and the last octet: no address range */
    int port = 0;
    if (argc < 3) return 2;
    if (argc > 3) push_count = atoi(argv[3]) < PUSHES ? atoi(argv[3]) : PUSHES;
    alarm(LIFE_S);
    net_open();
    waiting = malloc(WAITING * sizeof *waiting);
    line = net_connect(atoi(argv[1]));
    if (!waiting || !line) return 1;
    line->on_readable = from_network;
    line->on_closed = over;
    uint8_t *bind = net_room(line, HEADER + sizeof credentials);
    put32(bind, HEADER + sizeof credentials), put32(bind + 4, BIND_TRANSCEIVER), put32(bind + 8, 0);
    put32(bind + 12, sequence++), memcpy(bind + HEADER, credentials, sizeof credentials);
    for (int i = 0; i < push_count; i++) {
        if (!(pushes[i] = net_connect(atoi(argv[2])))) return 1;
        pushes[i]->on_readable = push_answered;
        idle[idle_count++] = i;
    }
    net_listen(&port, false)->on_readable = accepting;
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    Conn *input = net_adopt(0);
    input->on_readable = ignore;
    input->on_closed = over;
    while (!ended) {
        net_flush();
        net_wait(clock_ns() + SECOND);
    }
    return 0;
}
