#ifndef GATEHOUSE_FILTERS_DMARC_WALK_H
#define GATEHOUSE_FILTERS_DMARC_WALK_H
/*
 * dmarc_walk: the DNS tree walk (RFC 9989 4.10) from a domain upwards. The
 * names are known from the start, so all are asked together; what lies above
 * a record that ends the walk is then not looked at, and not waited for.
 */
#include "filters/dmarc_record.h"
#include "message/question.h"

#define DMARC_WALK_MAX 8 /* RFC 9989 4.10: no more than eight queries */

enum dmarc_found { DMARC_PENDING, DMARC_NO_RECORD, DMARC_RECORD, DMARC_UNKNOWN };

struct dmarc_target {
	struct slice domain;
	enum dmarc_found found;
	struct dmarc_record record;  /* DMARC_RECORD: not settled */
	const char *why;             /* DMARC_UNKNOWN: the look-up's error */
};

struct dmarc_walk {
	struct dmarc_target targets[DMARC_WALK_MAX]; /* from the start to one label */
	size_t count;
};

/* domain: lower case, A-labels, not empty. Points into it. */
void dmarc_walk_begin(struct dmarc_walk *walk, struct slice domain);
/* As begin, but only the domain and, if it is another, its organisational
 * domain as a list of public suffixes has it (RFC 7489 6.6.3). */
void dmarc_walk_begin_pair(struct dmarc_walk *walk, struct slice domain, struct slice organisational);

/* Asks for every target, and reads what is answered. */
void dmarc_walk_ask(struct dmarc_walk *walk, struct arena *arena, struct questions *questions,
		    enum phase needed);

/* What the records at a name come to: exactly one DMARC record counts. */
enum dmarc_found dmarc_read_answer(struct arena *arena, const struct answer *answer,
				   struct dmarc_record *record_r);

struct dmarc_outcome {
	struct slice organisational;
	const struct dmarc_target *policy; /* whose record applies (4.10.1); NULL: there is none */
	const char *why;                   /* of DMARC_WALK_UNKNOWN */
	struct slice unknown;              /* the target that failed */
};

enum dmarc_walk_state { DMARC_WALK_DONE, DMARC_WALK_NEED, DMARC_WALK_UNKNOWN };
enum dmarc_walk_state dmarc_walk_conclude(const struct dmarc_walk *walk, struct dmarc_outcome *outcome_r);
/* The same for a walk begun as a pair. */
enum dmarc_walk_state dmarc_pair_conclude(const struct dmarc_walk *walk, struct dmarc_outcome *outcome_r);

/* Labels of a name: "a.example" has 2. The last `labels` labels of it. */
size_t dmarc_labels(struct slice domain);
struct slice dmarc_last_labels(struct slice domain, size_t labels);
/* domain is parent or lies below it. */
bool dmarc_is_below(struct slice domain, struct slice parent);

#endif
