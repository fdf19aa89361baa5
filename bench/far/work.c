/* See work.h. Lost = the gateway took it and never pushed it, for customers that are neither slow nor dead. */
#include "work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Work work;

bool account_is_well(int64_t account) { return account != work.slow && account != work.dead; }

static bool is_due(int64_t index) { return account_is_well(index % work.accounts); }

void work_start(int64_t now) {
    work.messages = calloc((size_t)work.n, sizeof *work.messages);
    if (!work.messages) exit(1);
    for (int64_t i = 0; i < work.n; i++) work.due += is_due(i);
    work.running = true;
    work.started_at = work.progress_at = now;
    work.cpu_started_ns = cpu_ns();
    smsc_start();
    if (work.is_loop) client_start();
}

bool work_is_over(int64_t now) {
    bool whole = work.pushed == work.due && (work.is_loop || work.acked == work.n) && !work.open;
    if (!work.done_at && whole) work.done_at = now;
    if (work.done_at) return now - work.done_at >= work.settle_ns; /* time for a second push to show up */
    return now - work.progress_at > work.idle_ns || now - work.started_at > work.limit_ns;
}

int64_t work_allowed(int64_t now) {
    if (!work.rate_per_s) return work.n;
    int64_t allowed = (now - work.started_at) / 1000 * work.rate_per_s / 1000000 + 1;
    return allowed < work.n ? allowed : work.n;
}

int64_t work_next_at(void) {
    if (!work.rate_per_s || work.begun >= work.n) return INT64_MAX;
    return work.started_at + work.begun * SECOND / work.rate_per_s + 1000;
}

Message *work_find(int64_t number) {
    int64_t index = number - work.base;
    return work.running && index >= 0 && index < work.n ? &work.messages[index] : NULL;
}

void work_pushed(int64_t number, int64_t now) {
    Message *message = work_find(number);
    if (!message) {
        work.stale++;
        return;
    }
    if (message->pushed_at) {
        work.duplicated++;
        return;
    }
    message->pushed_at = now;
    work.progress_at = now;
    if (is_due(message - work.messages))
        work.pushed++;
    else
        work.pushed_slow++;
}

void work_accepted(Message *message, int64_t now) {
    if (!message->accepted) work.accepted++;
    message->accepted = true;
    work.progress_at = now;
}

void work_failure(const uint8_t *text, size_t length) {
    if (work.first_failure[0]) return;
    size_t i = 0;
    for (; i < length && i < sizeof work.first_failure - 1 && text[i] >= ' ' && text[i] < 127; i++)
        work.first_failure[i] = text[i] == '"' || text[i] == '\\' ? '\'' : (char)text[i];
    work.first_failure[i] = 0;
}

static int ascending(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void print_quantiles(const char *name, int64_t *took, int64_t count) {
    static const struct {
        const char *name;
        double share;
    } wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}};
    qsort(took, (size_t)count, sizeof *took, ascending);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int64_t rank = (int64_t)(wanted[i].share * (double)count);
        if (rank >= count) rank = count - 1;
        printf(", \"%s%s_ms\": %.3f", name, wanted[i].name, count ? (double)took[rank] / MILLISECOND : -1.0);
    }
}

void work_print(void) {
    int64_t last = work.started_at, lost = 0, count = 0, loops = 0;
    int64_t *took = malloc((size_t)work.n * sizeof *took), *round = malloc((size_t)work.n * sizeof *round);
    if (!took || !round) exit(1);
    for (int64_t i = 0; i < work.n; i++) {
        const Message *message = &work.messages[i];
        if (!is_due(i)) continue;
        if (!message->pushed_at) {
            lost += message->accepted;
            continue;
        }
        if (message->pushed_at > last) last = message->pushed_at;
        if (message->sent_at) took[count++] = message->pushed_at - message->sent_at;
        if (message->asked_at) round[loops++] = message->pushed_at - message->asked_at;
    }
    double seconds = (double)(last - work.started_at) / SECOND;
    double far_us = (double)(cpu_ns() - work.cpu_started_ns) / 1000.0;
    printf("{\"n\": %" PRId64 ", \"due\": %" PRId64 ", \"pushed\": %" PRId64, work.n, work.due, work.pushed);
    printf(", \"seconds\": %.4f, \"per_s\": %.1f", seconds, seconds > 0 ? (double)work.pushed / seconds : 0.0);
    printf(", \"acked\": %" PRId64 ", \"accepted\": %" PRId64 ", \"lost\": %" PRId64, work.acked, work.accepted, lost);
    printf(", \"duplicated\": %" PRId64 ", \"refused\": %" PRId64, work.duplicated, work.refused);
    printf(", \"resent\": %" PRId64 ", \"stale\": %" PRId64, work.resent, work.stale);
    printf(", \"pushed_slow\": %" PRId64 ", \"http_failed\": %" PRId64, work.pushed_slow, work.http_failed);
    printf(", \"first_failure\": \"%s\"", work.first_failure);
    print_quantiles("", took, count);
    if (work.is_loop) print_quantiles("loop_", round, loops);
    printf(", \"far_us_per_message\": %.2f}\n", work.begun ? far_us / (double)work.begun : 0.0);
    fflush(stdout);
    free(took), free(round), free(work.messages);
    work.messages = NULL;
    work.running = false;
}
