#ifndef GATEHOUSE_RULES_RULE_SCAN_H
#define GATEHOUSE_RULES_RULE_SCAN_H
/*
 * rule_scan: a rule set against one mail. No I/O: what it must know of the
 * network it asks for as questions.
 *
 *	struct rule_scan *s = rule_scan_begin(rules, &input);
 *	rule_scan_headers(s);          PHASE_HEADERS: asks what can be asked by then
 *	rule_scan_texts(s);            PHASE_END: decodes and matches; may be a job
 *	while (!rule_scan_answered(s)) PHASE_END: rules that ask; false: answers are missing
 *		… wait for an answer …
 *	rule_scan_conclude(s);         evals and metas; may be a job
 *	rule_scan_hits(s, &count)
 *	rule_scan_end(&s)
 */
#include "base/cidr.h"
#include "message/decoded.h"
#include "message/envelope.h"
#include "message/facts.h"
#include "message/question.h"
#include "message/received.h"
#include "rules/ruleset.h"

struct rule_input {
	struct arena *arena;
	bool all;                       /* hidden rules (__X) too, whether they matter or not */
	struct message *message;
	const struct envelope *envelope;
	const struct client *client;    /* family 0: unknown, all is taken from Received */
	bool client_in_received;        /* the client is a relay that Received tells of already */
	bool envelope_known;            /* else the reverse-path is looked for in the header */
	const struct facts *facts;
	const struct hits *hits;        /* of filters: certain by the time of rule_scan_finish(); NULL: none */
	struct questions *questions;    /* NULL: network rules don't run */
	int64_t now;
	struct slice hostname;          /* ours: "by" of the connection's relay */
	const struct cidr *trusted, *internal;
	size_t trusted_count, internal_count;
	enum mime_engine mime_engine;
	enum html_engine html_engine;
};

struct rule_hit {
	const struct rule *rule;
	double value;                   /* of metas; else the count of matches */
	struct slice evidence;          /* "body: \"…\"" */
};

struct header_value {
	bool made, found;
	struct slice text;
};

struct rule_scan {
	const struct ruleset *rules;
	struct rule_input in;
	struct arena *arena;
	struct decoded *decoded;        /* NULL before rule_scan_texts() */
	struct relays *relays;
	struct slice envelope_from;
	bool has_envelope_from;
	struct engine_run run;
	bool running;                   /* the run holds a scratch */
	bool texts_done, finished;
	struct expr_range *values;      /* by rule; more than a point: not concluded */
	struct slice *evidence;         /* by rule; of evals */
	struct rule_hit *hits;
	size_t hit_count;
	bool waiting;                   /* an answer was missing in this step */
	enum phase phase;               /* that is being run: questions of it must be answered */
	struct slice *uri_texts;        /* every form of every URI, each once */
	size_t uri_count;
	struct eval_state *evals;       /* kept between functions: rules/rule_eval.h */
};

/* The rule's value is certain. */
static inline bool rule_scan_knows(const struct rule_scan *scan, uint32_t rule)
{
	return scan->values[rule].low == scan->values[rule].high;
}

struct rule_scan *rule_scan_begin(const struct ruleset *rules, const struct rule_input *input);
void rule_scan_headers(struct rule_scan *scan);
void rule_scan_texts(struct rule_scan *scan);
bool rule_scan_answered(struct rule_scan *scan);
void rule_scan_conclude(struct rule_scan *scan);
/* Both; false: answers are missing. */
bool rule_scan_finish(struct rule_scan *scan);
/* Hits of visible rules in order of the files, and of hidden ones if all were
 * asked for. In the scan's arena. */
const struct rule_hit *rule_scan_hits(struct rule_scan *scan, size_t *count_r);
/* Rules cut off for their time in this mail; NULL at the end. Start with *at = 0. */
const struct rule *rule_scan_slow(const struct rule_scan *scan, size_t *at);
/* Gives back what it holds of the rule set (not its memory: that is the arena's). */
void rule_scan_end(struct rule_scan **scan);

/* The reverse-path as the header section tells it (Return-Path, X-Envelope-From
 * …, none below a Received field). False: not told. */
bool rule_envelope_from(const struct message *message, struct slice *address_r);

#endif
