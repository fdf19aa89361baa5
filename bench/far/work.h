/* One work at a time: what is to be sent, and what is known of every message of it.
 *
 * A message is known by its number, which grows over all works of a process. The number stands in the text
 * ("B0000001234 ..."), in the phone's number ("4471" + 8 digits) and in the sequence number of the PDU, so
 * whatever comes back is found without a search, and what an earlier work left behind is told apart. */
#ifndef WORK_H
#define WORK_H

#include "net.h"

enum { MARKER_DIGITS = 10, PHONE_DIGITS = 8, TARGET_LENGTH = 1024 };
#define PHONE_PREFIX "4471"
#define CUSTOMER_PREFIX "4478" /* + 8 digits: index of the account, counted from `first` */
#define SENDER "60999"

typedef enum { WAITING, ASKED, SUBMITTED, SENT, ACKED } State; /* ASKED and SUBMITTED: only in a loop */

typedef struct {
    int64_t asked_at;  /* loop: the HTTP request was written */
    int64_t sent_at;   /* the deliver_sm was written, for the last time */
    int64_t pushed_at; /* the first push of it was read; 0 = never */
    uint64_t session;  /* life of the session that carries it */
    uint8_t state;
    bool accepted; /* the gateway took it: deliver_sm_resp 0, or 200 to the submission */
} Message;

typedef struct {
    bool is_loop, running;
    int64_t n, window, rate_per_s, first, accounts, slow, dead, conns, port;
    int64_t delay_ns, slow_ns, settle_ns, idle_ns, limit_ns;
    char target[TARGET_LENGTH];

    int64_t base; /* number of the first message */
    Message *messages;
    int64_t started_at, cpu_started_ns, progress_at, done_at;
    int64_t begun;    /* messages taken from the plan: sent, or asked for */
    int64_t open;     /* deliver_sm that wait for their answer */
    int64_t acked;    /* answered with status 0 */
    int64_t accepted; /* known to be the gateway's from here on */
    int64_t due;      /* messages of customers that are neither slow nor dead */
    int64_t pushed;   /* of those */
    int64_t pushed_slow, duplicated, refused, resent, stale, failed, http_failed;
    char first_failure[128];
} Work;

extern Work work;

void work_start(int64_t now); /* fields of the plan are set */
bool work_is_over(int64_t now);
void work_print(void); /* one JSON line; the table is freed */
int64_t work_allowed(int64_t now); /* how many messages may have begun by now */
int64_t work_next_at(void);        /* when the fixed rate allows the next one */
Message *work_find(int64_t number);
void work_pushed(int64_t number, int64_t now);
void work_accepted(Message *message, int64_t now);
void work_failure(const uint8_t *text, size_t length);
bool account_is_well(int64_t account);

/* smsc.c */
void smsc_listen(int *port);
int smsc_bound(void);
void smsc_pump(int64_t now);      /* send what the window, the rate and the delays allow */
int64_t smsc_next_at(void);       /* when there will be something to send; INT64_MAX = when something comes */
void smsc_start(void);            /* forget the queues of the last work */

/* sink.c */
void sink_listen(int *port, bool slow);
void sink_pump(int64_t now);
int64_t sink_next_at(void);

/* client.c */
void client_start(void);
void client_pump(int64_t now);
void client_stop(void);
#endif
