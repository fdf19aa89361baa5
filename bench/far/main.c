/* The far sides of a gateway in one process with one clock: SMSC, customers, and the program that submits.
 *
 *     far [ports]      number of ordinary customer ports (default 1)
 *
 * The first line it prints names its ports: {"smsc": 1, "ports": [2, ...], "slow": 3, "dead": 4}. Then each
 * line read from standard input is a command, answered by one JSON line:
 *
 *     bound timeout_s=20                                   wait for a bind that receives
 *     received n=50000 window=200 [rate=1000] [accounts=10 first=2 slow=8 dead=9 slow_ms=5000]
 *     loop n=20000 window=200 conns=16 port=8080 [delay_ms=0] [rate=..] target=/SMSSend?..@T..@M..
 *
 * (slow and dead name customers that do not count, out of the accounts from `first` on)
 * with limits settle_ms=300 idle_ms=8000 limit_ms=50000 for either. It ends with its standard input, and
 * by itself after LIFE_S. All traffic is on the loopback address. */
#include "work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIFE_S = 1800, LINE = 4096 };
static bool ended, waits_for_bind;
static int64_t bind_until;
static int64_t base = 1;

static int64_t option(const char *line, const char *name, int64_t otherwise) {
    char wanted[32];
    snprintf(wanted, sizeof wanted, " %s=", name);
    const char *at = strstr(line, wanted);
    return at ? atoll(at + strlen(wanted)) : otherwise;
}

static void start(const char *line, int64_t now) {
    const char *target = strstr(line, " target=");
    work = (Work){
        .is_loop = !strncmp(line, "loop ", 5),
        .n = option(line, "n", 1000),
        .window = option(line, "window", 200),
        .rate_per_s = option(line, "rate", 0),
        .first = option(line, "first", 0),
        .accounts = option(line, "accounts", 1),
        .slow = option(line, "slow", -1),
        .dead = option(line, "dead", -1),
        .conns = option(line, "conns", 16),
        .port = option(line, "port", 0),
        .delay_ns = option(line, "delay_ms", 0) * MILLISECOND,
        .slow_ns = option(line, "slow_ms", 5000) * MILLISECOND,
        .settle_ns = option(line, "settle_ms", 300) * MILLISECOND,
        .idle_ns = option(line, "idle_ms", 8000) * MILLISECOND,
        .limit_ns = option(line, "limit_ms", 50000) * MILLISECOND,
        .base = base,
    };
    if (target) snprintf(work.target, sizeof work.target, "%s", target + 8);
    work.target[strcspn(work.target, " \n")] = 0;
    if (work.n < 1 || work.n > 20000000 || work.accounts < 1 || work.window < 1) {
        printf("{\"error\": \"out of range\"}\n");
        return;
    }
    base += work.n;
    work_start(now);
}

static void obey(const char *line) {
    int64_t now = clock_ns();
    if (!strncmp(line, "received ", 9) || !strncmp(line, "loop ", 5)) {
        start(line, now);
    } else if (!strncmp(line, "bound", 5)) {
        waits_for_bind = true;
        bind_until = now + option(line, "timeout_s", 20) * SECOND;
    } else {
        printf("{\"error\": \"unknown command\"}\n");
    }
    fflush(stdout);
}

static void commanded(Conn *conn) {
    char line[LINE];
    uint8_t *end;
    while ((end = memchr(buffer_at(&conn->in), '\n', buffer_length(&conn->in)))) {
        size_t length = (size_t)(end - buffer_at(&conn->in)) + 1;
        snprintf(line, sizeof line, "%.*s", (int)length - 1, (const char *)buffer_at(&conn->in));
        buffer_drop(&conn->in, length);
        obey(line);
        if (!buffer_length(&conn->in)) return;
    }
}

static void input_ended(Conn *conn) {
    (void)conn;
    ended = true;
}

static int64_t earliest(int64_t now) {
    int64_t next = now + (work.running ? 20 * MILLISECOND : SECOND / 4), other = smsc_next_at();
    if (other < next) next = other;
    if ((other = sink_next_at()) < next) next = other;
    if (work.running && work.is_loop && work.rate_per_s && (other = work_next_at()) < next) next = other;
    return next;
}

static void turn(void) {
    int64_t now = clock_ns();
    net_wait(earliest(now));
    now = clock_ns();
    smsc_pump(now);
    sink_pump(now);
    client_pump(now);
    net_flush();
    if (work.running && work_is_over(now)) {
        client_stop();
        net_flush();
        work_print();
    }
    if (waits_for_bind && (smsc_bound() || now > bind_until)) {
        waits_for_bind = false;
        printf("{\"bound\": %d}\n", smsc_bound());
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1, smsc = 0, slow = 0, dead = 0;
    alarm(LIFE_S);
    net_open();
    smsc_listen(&smsc);
    sink_listen(&slow, true);
    net_listen(&dead, true);
    printf("{\"smsc\": %d, \"slow\": %d, \"dead\": %d, \"ports\": [", smsc, slow, dead);
    for (int i = 0; i < count; i++) {
        int port = 0;
        sink_listen(&port, false);
        printf("%s%d", i ? ", " : "", port);
    }
    printf("]}\n");
    fflush(stdout);
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    Conn *input = net_adopt(0);
    input->on_readable = commanded;
    input->on_closed = input_ended;
    while (!ended) turn();
    return 0;
}
