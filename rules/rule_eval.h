#ifndef GATEHOUSE_RULES_RULE_EVAL_H
#define GATEHOUSE_RULES_RULE_EVAL_H
/*
 * rule_eval: the functions that `eval:` names. Each family is a room of its
 * own (rule_eval_headers.c …) with a table that rule_eval.c lists.
 *
 * A function returns the rule's value: 0 for no hit, else 1 or a count; or
 * EXPR_UNKNOWN when it has asked for an answer that isn't there yet, and is
 * then called again. It may leave evidence with eval_evidence().
 */
#include "rules/rule_expr.h"
#include "rules/rule_scan.h"

typedef double (*eval_fn)(struct rule_scan *scan, const struct rule *rule);

enum eval_asks {
	EVAL_ASKS_NOTHING,
	EVAL_ASKS_AT_END,
	EVAL_ASKS_EARLY,         /* run at PHASE_HEADERS too, its value then ignored */
};

struct eval_function {
	const char *name;
	eval_fn fn;
	const char *approximate; /* what is not as in SpamAssassin; NULL: it is */
	unsigned min_args, max_args;
	enum eval_asks asks;
	unsigned pattern;        /* 1 + which argument is a pattern: compiled as rule->regex; 0: none */
	/* Whether these arguments can be honoured; NULL: they all can. Returns
	 * why not, or NULL. */
	const char *(*check)(const struct rule *rule);
};

const struct eval_function *eval_find(struct slice name);
/* The nth of all; NULL: there are no more. */
const struct eval_function *eval_each(size_t n);

/* A hidden rule whose function asks nobody: run only when a meta needs it. */
bool rule_eval_may_wait(const struct rule *rule);

/* The tables; each ends with name == NULL. */
extern const struct eval_function eval_headers[], eval_dates[], eval_html[], eval_mime[], eval_body[],
	eval_relays[], eval_rbl[], eval_auth[], eval_lists[], eval_freemail[], eval_uris[], eval_images[],
	eval_forged[];

/* Sender addresses as lists are asked with them: From, Envelope-Sender,
 * Resent-Sender, X-Envelope-From, EnvelopeFrom; or Resent-From alone. Lower case. */
#define EVAL_ADDRESSES_MAX 64u
struct eval_addresses {
	struct slice *list;
	size_t count;
};
const struct eval_addresses *eval_from_addresses(struct rule_scan *scan);
const struct eval_addresses *eval_to_addresses(struct rule_scan *scan);
/* Whether readers of the languages in ok_locales can read it; true unless that is set. */
bool eval_charset_ok(struct rule_scan *scan, struct slice charset);
/* White space of a kind as one space. */
struct slice eval_squeeze(struct rule_scan *scan, struct slice text);
/* The registered domain of a host name; the name itself if it has none. */
struct slice eval_domain(struct rule_scan *scan, struct slice host);

/* What functions of a family keep between calls on one mail. */
struct eval_state {
	struct eval_body_stats *body;
	struct eval_mime_stats *mime;
	struct eval_rbl_state *rbl;
	struct eval_freemail_state *freemail;
	struct eval_uribl_state *uribl;
	struct eval_images *images;
	struct eval_dates *dates;
	struct header_value *headers;  /* by selector of the engine */
	struct eval_addresses *from, *to;
	struct regex_scratch *scratch; /* of eval_is(), where the run has none */
};

void eval_evidence(struct rule_scan *scan, const struct rule *rule, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- arguments ---- */
static inline struct slice eval_arg(const struct rule *rule, unsigned n)
{
	return n < rule->arg_count ? rule->args[n] : SLICE_EMPTY;
}
/* The argument as a number; fallback if it isn't there, is empty or "undef". */
double eval_number(const struct rule *rule, unsigned n, double fallback);
/* value within [min, max]; either may be missing. */
bool eval_in_range(const struct rule *rule, unsigned first, double value);

#endif
