#ifndef GATEHOUSE_PROXY_SCAN_MAIL_H
#define GATEHOUSE_PROXY_SCAN_MAIL_H
/*
 * scan_mail: a saved mail through all phases of the pipeline, waiting for
 * what it asks: what the doors do, without a connection. What isn't told of
 * the client is taken from the mail: the first relay outside our networks
 * that its Received fields name, and the reverse-path in Return-Path or the
 * like.
 */
#include "message/canonical.h"
#include "policy/verdict.h"
#include "proxy/driver_wait.h"

struct scan_mail_input {
	struct slice bytes;             /* as saved: any line ends, an mbox "From " line */
	struct ip client;               /* family 0: from the mail */
	struct slice client_name, helo; /* data == NULL: from the mail, if the client is */
	struct slice login;
	const struct mailbox *sender;   /* NULL: from the mail */
	const struct mailbox *recipients;
	size_t recipient_count;
	int64_t now;
	int64_t deadline_ms;            /* of one phase */
};

struct scan_mail_result {
	struct scan *scan;
	struct verdict verdict;         /* of all: what the sender would see in the end */
	int64_t spent_us;
};

/* The phases HEADERS to END of a scan whose recipients are known. */
void scan_mail_content(struct scan *scan, struct wait *wait, const struct canonical *mail, bool had_8bit_header,
		       int64_t deadline_ms);

/* Everything in the arena. */
void scan_mail(struct arena *arena, const struct snapshot *snapshot, struct wait_driver *driver,
	       const struct scan_mail_input *input, struct scan_mail_result *result_r);

#endif
