/* The customer's program that submits: keep-alive connections with one request each at a time.
 *
 * The target of the work is a request target in which every "@M" is replaced by the marker's ten digits and
 * every "@T" by the phone's number: both have one length, so the request is one template with holes. At most
 * `window` loops are open (asked for, report not yet pushed), so the times measured are of the gateway, not
 * of a queue in front of it. */
#define _GNU_SOURCE
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 256, HOLES = 16, IDLE = -1, FAILURES = 1000 };

static Conn *connections[CONNECTIONS];
static char request[2 * TARGET_LENGTH];
static size_t request_length;
static struct {
    size_t at;
    bool phone;
} holes[HOLES];
static int hole_count;

static void compile(void) {
    char *out = request;
    hole_count = 0;
    out += sprintf(out, "GET ");
    for (const char *in = work.target; *in; in++) {
        if (*in == '@' && (in[1] == 'M' || in[1] == 'T') && hole_count < HOLES) {
            holes[hole_count].at = (size_t)(out - request);
            holes[hole_count++].phone = in[1] == 'T';
            out += sprintf(out, "%s", in[1] == 'T' ? PHONE_PREFIX "00000000" : "0000000000");
            in++;
        } else {
            *out++ = *in;
        }
    }
    out += sprintf(out, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: far\r\n\r\n", (int)work.port);
    request_length = (size_t)(out - request);
}

static void ask(Conn *conn, int64_t now) {
    int64_t number = work.base + work.begun;
    uint8_t *at = net_room(conn, request_length);
    memcpy(at, request, request_length);
    for (int i = 0; i < hole_count; i++) {
        int digits = holes[i].phone ? PHONE_DIGITS : MARKER_DIGITS;
        uint8_t *hole = at + holes[i].at + (holes[i].phone ? sizeof PHONE_PREFIX - 1 : 0);
        int64_t value = number;
        for (int k = digits; k-- > 0; value /= 10) hole[k] = (uint8_t)('0' + value % 10);
    }
    conn->number = number;
    work.messages[work.begun].asked_at = now;
    work.messages[work.begun].state = ASKED;
    work.begun++;
}

static void readable(Conn *conn) {
    size_t head;
    long length;
    int64_t now = clock_ns();
    while ((length = http_message(&conn->in, &head)) > 0) {
        const uint8_t *at = buffer_at(&conn->in);
        Message *message = work_find(conn->number);
        bool well = length > 12 && at[9] == '2';
        if (message && well)
            work_accepted(message, now);
        else if (message)
            work.http_failed++, work_failure(at, (size_t)length);
        buffer_drop(&conn->in, (size_t)length);
        conn->number = IDLE;
    }
    if (length < 0) net_close(conn);
}

static void gone(Conn *conn) {
    static const char text[] = "connection closed";
    for (int i = 0; i < CONNECTIONS; i++)
        if (connections[i] == conn) connections[i] = NULL;
    if (conn->number == IDLE && !conn->connecting) return;
    work.http_failed++;
    work_failure((const uint8_t *)text, sizeof text - 1);
}

void client_start(void) { compile(); }

void client_pump(int64_t now) {
    if (!work.running || !work.is_loop || work.done_at) return;
    for (int i = 0; i < work.conns && i < CONNECTIONS && work.begun < work_allowed(now); i++) {
        int64_t open = work.begun - work.pushed - work.pushed_slow - work.http_failed;
        if (open >= work.window || work.http_failed > FAILURES) return;
        if (!connections[i]) {
            connections[i] = net_connect((int)work.port);
            if (!connections[i]) return;
            connections[i]->number = IDLE;
            connections[i]->on_readable = readable;
            connections[i]->on_closed = gone;
            connections[i]->acknowledges_at_once = true;
        }
        if (connections[i]->number == IDLE) ask(connections[i], now);
    }
}

void client_stop(void) {
    for (int i = 0; i < CONNECTIONS; i++) {
        if (!connections[i]) continue;
        connections[i]->number = IDLE;
        connections[i]->connecting = false;
        net_close(connections[i]);
    }
}
