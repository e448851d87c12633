/*
 * libunbound calls back within the call when it has the answer in its cache,
 * and from deep within its own work when it hasn't. So an answer is only noted
 * there, and told from a timer of ours at the loop's next turn.
 *
 * A question that took too long is answered, but libunbound goes on with it
 * (ub_cancel would only silence it): its ticket stays, without a query, and is
 * counted, so that names whose servers are dead can't fill the memory.
 *
 * Where several questions in a row were answered by nobody, a name is asked
 * about that is in no cache. If that isn't answered either, no server is there:
 * until one is, questions are asked, but not waited for.
 */
#include "base/resolver.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>
#include <unbound-event.h>
#include <unbound.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/dns_packet.h"
#include "base/log.h"
#include "base/wire_name.h"
#include "base/zone.h"

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_MAX_QUESTIONS 10000u
#define CLASS_IN 1
#define SEC_BOGUS 1  /* unbound-event.h: what a callback's sec means */
#define SEC_SECURE 2
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define SILENT_AFTER 4       /* questions in a row that nobody answered */
#define PROBE_MS 2000        /* how often it is looked whether somebody is there again */
#define UNHEARD_MAX 100u     /* questions that are asked meanwhile */

/* What libunbound holds on to. */
struct ticket {
	LIST_ENTRY(ticket) next;
	struct resolver *resolver;
	struct resolver_query *query; /* NULL: nobody waits any more */
};

struct resolver_query {
	TAILQ_ENTRY(resolver_query) next; /* of waiting or of ready */
	struct ticket *ticket;            /* NULL: answered */
	uint16_t type;
	int64_t deadline;                 /* ms, monotonic */
	struct arena *arena;              /* of the answer; may be NULL */
	struct answer answer;
	resolver_done_fn *done;
	void *arg;
};
TAILQ_HEAD(query_list, resolver_query);

struct resolver {
	struct ub_ctx *ctx;               /* NULL with a zone */
	const struct zone *zone;
	int64_t timeout;
	size_t max_questions;
	struct query_list waiting;        /* by deadline: all have the same time-out */
	struct query_list ready;
	size_t ready_count;
	size_t in_flight;                 /* queries in either list */
	LIST_HEAD(ticket_list, ticket) tickets;
	size_t abandoned;                 /* tickets without query */
	struct event *ready_timer, *deadline_timer;
	unsigned silent;                  /* questions timed out since somebody answered */
	bool deaf;                        /* nobody answers */
	bool asking;                      /* within ub_resolve_event: what comes is out of its cache */
	const char *probe_zone;
	struct event *probe_timer;        /* pending: there is doubt, or deaf */
};

static void set_timer(struct event *timer, int64_t ms)
{
	const struct timeval tv = timeval_ms(ms);
	event_add(timer, &tv);
}

static void make_ready(struct resolver *r, struct resolver_query *q)
{
	/* In this turn of the loop, after what is due in it. */
	if (TAILQ_EMPTY(&r->ready))
		event_active(r->ready_timer, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&r->ready, q, next);
	r->ready_count++;
}

static void take_ready(struct resolver *r, struct resolver_query *q)
{
	TAILQ_REMOVE(&r->ready, q, next);
	r->ready_count--;
}

static void free_query(struct resolver *r, struct resolver_query *q)
{
	arena_destroy(&q->arena);
	free(q);
	r->in_flight--;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct resolver_query *q;
	(void)fd, (void)what;
	/* done() may ask again, with a cached answer: that is for the next turn. */
	for (size_t n = r->ready_count; n > 0 && (q = TAILQ_FIRST(&r->ready)) != NULL; n--) {
		take_ready(r, q); /* NOLINT: clang doesn't follow the queue's back pointers */
		q->done(q->arg, &q->answer);
		free_query(r, q);
	}
	if (!TAILQ_EMPTY(&r->ready))
		set_timer(r->ready_timer, 0);
}

/* Parts query and ticket; the ticket stays until libunbound has called. */
static void abandon(struct resolver *r, struct resolver_query *q)
{
	TAILQ_REMOVE(&r->waiting, q, next);
	if (q->ticket != NULL)
		q->ticket->query = NULL;
	q->ticket = NULL;
	r->abandoned++;
}

/* ---- is anybody there? */

static void on_answer(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
		      int was_ratelimited);

static void probe(struct resolver *r)
{
	static unsigned count;
	char name[64];
	if (r->abandoned >= UNHEARD_MAX)
		return;
	struct ticket *ticket = xcalloc(1, sizeof(*ticket));
	ticket->resolver = r;
	LIST_INSERT_HEAD(&r->tickets, ticket, next);
	r->abandoned++;
	snprintf(name, sizeof(name), "gatehouse-%llx-%x.%s", (unsigned long long)clock_ms(), count++, r->probe_zone);
	if (ub_resolve_event(r->ctx, name, DNS_A, CLASS_IN, ticket, on_answer, NULL) == 0)
		return;
	LIST_REMOVE(ticket, next);
	free(ticket);
	r->abandoned--;
}

static void on_probe(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	(void)fd, (void)what;
	if (!r->deaf)
		log_warn(NULL, "dns", "no name server answers: look-ups fail at once until one does");
	r->deaf = true;
	probe(r);
	set_timer(r->probe_timer, PROBE_MS);
}

static void heard_nothing(struct resolver *r)
{
	if (++r->silent < SILENT_AFTER || evtimer_pending(r->probe_timer, NULL))
		return;
	probe(r);
	set_timer(r->probe_timer, r->timeout);
}

static void heard(struct resolver *r)
{
	r->silent = 0;
	event_del(r->probe_timer);
	if (r->deaf)
		log_info(NULL, "dns", "name servers answer again");
	r->deaf = false;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct resolver_query *q;
	int64_t now = clock_ms();
	(void)fd, (void)what;
	while ((q = TAILQ_FIRST(&r->waiting)) != NULL && q->deadline <= now) {
		abandon(r, q);
		q->answer = (struct answer){ .status = ANSWER_TEMPERROR, .why = "timeout" };
		make_ready(r, q);
		heard_nothing(r);
	}
	if (q != NULL)
		set_timer(r->deadline_timer, q->deadline - now);
}

static void read_answer(struct resolver_query *q, int rcode, struct slice packet, int sec)
{
	q->answer = (struct answer){ .status = ANSWER_TEMPERROR };
	if (sec == SEC_BOGUS) {
		q->answer.why = "bogus";
	} else if (rcode != 0 && rcode != RCODE_NXDOMAIN) {
		q->answer.why = dns_rcode_name((unsigned)rcode);
	} else {
		q->arena = arena_create();
		q->answer = dns_packet_read(q->arena, packet, q->type);
		if (rcode == RCODE_NXDOMAIN)
			q->answer = (struct answer){ .status = ANSWER_NXDOMAIN, .ttl = q->answer.ttl };
	}
	q->answer.secure = sec == SEC_SECURE;
}

static void on_answer(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
		      int was_ratelimited)
{
	struct ticket *ticket = arg;
	struct resolver *r = ticket->resolver;
	struct resolver_query *q = ticket->query;
	(void)why_bogus, (void)was_ratelimited;
	LIST_REMOVE(ticket, next);
	free(ticket);
	if (!r->asking && rcode != RCODE_SERVFAIL)
		heard(r);
	if (q == NULL) {
		r->abandoned--;
		return;
	}
	q->ticket = NULL;
	TAILQ_REMOVE(&r->waiting, q, next);
	read_answer(q, rcode, slice_make(packet, packet_len > 0 ? (size_t)packet_len : 0), sec);
	make_ready(r, q);
}

/* --- asking --- */

static void answer_at_once(struct resolver *r, struct resolver_query *q, struct answer answer)
{
	q->answer = answer;
	make_ready(r, q);
}

static const struct answer nobody = { .status = ANSWER_TEMPERROR, .why = "no name server answers" };

static void ask_network(struct resolver *r, struct resolver_query *q, const char *name)
{
	struct ticket *ticket = xcalloc(1, sizeof(*ticket));
	ticket->resolver = r;
	ticket->query = q;
	LIST_INSERT_HEAD(&r->tickets, ticket, next);
	q->ticket = ticket;
	q->deadline = clock_ms() + r->timeout;
	if (TAILQ_EMPTY(&r->waiting))
		set_timer(r->deadline_timer, r->timeout);
	TAILQ_INSERT_TAIL(&r->waiting, q, next);
	r->asking = true;
	int error = ub_resolve_event(r->ctx, name, q->type, CLASS_IN, ticket, on_answer, NULL);
	r->asking = false;
	if (error != 0) {
		LIST_REMOVE(ticket, next);
		free(ticket);
		q->ticket = NULL;
		TAILQ_REMOVE(&r->waiting, q, next);
		answer_at_once(r, q, (struct answer){ .status = ANSWER_TEMPERROR, .why = ub_strerror(error) });
	} else if (r->deaf && q->ticket != NULL) {
		abandon(r, q);
		answer_at_once(r, q, nobody);
	}
}

struct resolver_query *resolver_ask(struct resolver *r, struct slice name, uint16_t type,
				    resolver_done_fn *done, void *arg)
{
	uint8_t wire[WIRE_NAME_MAX];
	char text[WIRE_NAME_TEXT_MAX];
	size_t len = wire_name_from_text(name, SLICE_EMPTY, wire);
	struct resolver_query *q = xcalloc(1, sizeof(*q));
	q->type = type;
	q->done = done;
	q->arg = arg;
	if (len == 0)
		answer_at_once(r, q, (struct answer){ .status = ANSWER_NXDOMAIN });
	else if (r->zone != NULL)
		answer_at_once(r, q, zone_lookup(r->zone, name, type));
	else if (r->in_flight >= r->max_questions || r->abandoned >= r->max_questions)
		answer_at_once(r, q, (struct answer){ .status = ANSWER_TEMPERROR, .why = "too many questions" });
	else if (r->deaf && r->abandoned >= UNHEARD_MAX)
		answer_at_once(r, q, nobody);
	else
		ask_network(r, q, wire_name_text(slice_make(wire, len), text));
	r->in_flight++;
	return q;
}

void resolver_cancel(struct resolver *r, struct resolver_query **query)
{
	struct resolver_query *q = *query;
	*query = NULL;
	if (q == NULL)
		return;
	if (q->ticket != NULL) {
		/* Whoever asked gave up before we did. */
		if (q->deadline - clock_ms() < r->timeout / 2)
			heard_nothing(r);
		abandon(r, q);
	} else {
		take_ready(r, q);
	}
	free_query(r, q);
}

size_t resolver_in_flight(const struct resolver *r)
{
	return r->in_flight;
}

/* --- making one --- */

struct option {
	const char *name, *value;
};

/* libunbound's own are for a program that asks a few questions. */
static const struct option common_options[] = {
	{ "outgoing-range:", "512" },        /* sockets at a time */
	{ "num-queries-per-thread:", "4096" },
	{ "msg-cache-size:", "8m" },
	{ "rrset-cache-size:", "16m" },
	{ "infra-keep-probing:", "yes" },    /* a server that comes back is noticed */
	{ NULL, NULL },
};

static const struct option forward_options[] = {
	{ "do-not-query-localhost:", "no" },
	{ "unblock-lan-zones:", "yes" },     /* the forwarder may know our private reverse zones */
	{ "insecure-lan-zones:", "yes" },
	{ NULL, NULL },
};

static int set_options(struct ub_ctx *ctx, const struct option *options)
{
	int error = 0;
	for (; options->name != NULL && error == 0; options++)
		error = ub_ctx_set_option(ctx, options->name, options->value);
	return error;
}

static int set_forwards(struct ub_ctx *ctx, const struct resolver_config *config)
{
	int error = config->forward_count > 0 ? set_options(ctx, forward_options) : 0;
	for (size_t i = 0; i < config->forward_count && error == 0; i++) {
		char *address = strndup(config->forward[i].data, config->forward[i].len);
		error = ub_ctx_set_fwd(ctx, address);
		free(address);
	}
	return error;
}

/* The root's keys as IANA publishes them (RFC 9718): KSK-2017 and KSK-2024. */
static const char *const root_anchors[] = {
	". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

static int set_root_anchors(struct ub_ctx *ctx)
{
	int error = 0;
	for (size_t i = 0; i < sizeof(root_anchors) / sizeof(root_anchors[0]) && error == 0; i++)
		error = ub_ctx_add_ta(ctx, root_anchors[i]);
	return error;
}

static int set_dnssec(struct ub_ctx *ctx, const struct resolver_config *config)
{
	if (!config->dnssec)
		return ub_ctx_set_option(ctx, "module-config:", "iterator");
	if (config->trust_anchor.len == 0)
		return set_root_anchors(ctx);
	char *path = strndup(config->trust_anchor.data, config->trust_anchor.len);
	struct stat st;
	/* libunbound reads a folder for ever. */
	bool is_file = stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
	int error = is_file ? ub_ctx_add_ta_file(ctx, path) : UB_READFILE;
	free(path);
	return error;
}

static void on_warm(void *arg, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
		    int was_ratelimited)
{
	(void)rcode, (void)packet, (void)packet_len, (void)sec, (void)why_bogus, (void)was_ratelimited;
	*(bool *)arg = true;
}

/* Makes libunbound open and read all it will need, by a question it answers
 * by itself. Those who forward want the names of RFC 6761 forwarded too. */
static int warm_up(struct ub_ctx *ctx, const struct resolver_config *config)
{
	bool answered = false;
	int error = 0;
	if (config->forward_count > 0) {
		error = ub_ctx_zone_remove(ctx, "test.");
		if (error == 0)
			error = ub_ctx_zone_remove(ctx, "invalid.");
	}
	if (error == 0)
		error = ub_resolve_event(ctx, "localhost.", DNS_A, CLASS_IN, &answered, on_warm, NULL);
	if (error == 0 && !answered)
		error = UB_INITFAIL;
	return error;
}

static struct ub_ctx *make_context(struct event_base *base, const struct resolver_config *config,
				   char error_r[RESOLVER_ERROR_MAX])
{
	struct ub_ctx *ctx = ub_ctx_create_event(base);
	const char *doing = "settings";
	int error = UB_NOMEM;
	if (ctx != NULL) {
		ub_ctx_debugout(ctx, NULL);
		error = set_options(ctx, common_options);
	}
	if (error == 0) {
		doing = "forwarding address";
		error = set_forwards(ctx, config);
	}
	if (error == 0) {
		doing = "trust anchor";
		error = set_dnssec(ctx, config);
	}
	if (error == 0) {
		doing = config->dnssec ? "start (is the trust anchor good?)" : "start";
		error = warm_up(ctx, config);
	}
	if (error == 0)
		return ctx;
	snprintf(error_r, RESOLVER_ERROR_MAX, "DNS resolver: %s: %s", doing, ub_strerror(error));
	ub_ctx_delete(ctx);
	return NULL;
}

struct resolver *resolver_create(struct event_base *base, const struct resolver_config *config,
				 char error_r[RESOLVER_ERROR_MAX])
{
	struct resolver *r = xcalloc(1, sizeof(*r));
	r->zone = config->zone;
	r->timeout = config->timeout > 0 ? config->timeout : DEFAULT_TIMEOUT_MS;
	r->max_questions = config->max_questions > 0 ? config->max_questions : DEFAULT_MAX_QUESTIONS;
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->ready);
	LIST_INIT(&r->tickets);
	r->ready_timer = evtimer_new(base, on_ready, r);
	r->deadline_timer = evtimer_new(base, on_deadline, r);
	r->probe_timer = evtimer_new(base, on_probe, r);
	/* Who forwards is answered by the forwarder itself (RFC 6761 6.4), else by the root. */
	r->probe_zone = config->forward_count > 0 ? "invalid." : "";
	if (r->zone == NULL && (r->ctx = make_context(base, config, error_r)) == NULL)
		resolver_destroy(&r);
	return r;
}

static void drop_list(struct resolver *r, struct query_list *list)
{
	struct resolver_query *q;
	while ((q = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, q, next);
		free_query(r, q);
	}
}

void resolver_destroy(struct resolver **resolver)
{
	struct resolver *r = *resolver;
	struct ticket *ticket;
	*resolver = NULL;
	if (r == NULL)
		return;
	ub_ctx_delete(r->ctx);
	drop_list(r, &r->waiting);
	drop_list(r, &r->ready);
	while ((ticket = LIST_FIRST(&r->tickets)) != NULL) {
		LIST_REMOVE(ticket, next);
		free(ticket);
	}
	event_free(r->ready_timer);
	event_free(r->deadline_timer);
	event_free(r->probe_timer);
	free(r);
}
