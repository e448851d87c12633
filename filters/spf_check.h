#ifndef GATEHOUSE_FILTERS_SPF_CHECK_H
#define GATEHOUSE_FILTERS_SPF_CHECK_H
/*
 * spf_check: check_host() of RFC 7208 4 as a step function, whichever engine
 * does it. It asks through message/question.h and never waits.
 */
#include "filters/filter.h"
#include "message/facts.h"
#include "message/question.h"

/* RFC 7208 4.6.4 */
struct spf_limits {
	unsigned terms;        /* that cause look-ups, in all records together */
	unsigned voids;        /* terms whose look-up finds nothing */
	unsigned mx_names;     /* of one mx; more are a permanent error */
	unsigned ptr_names;    /* of the client; more are left out */
};
extern const struct spf_limits spf_default_limits;

struct spf_request {
	struct ip client;
	struct slice helo;     /* as given */
	struct slice local;    /* local part of the sender */
	struct slice domain;   /* of the sender, and the one to be checked */
	bool identity_helo;    /* the identity is HELO's */
	struct slice receiver; /* our host name */
	int64_t now;           /* unix seconds */
	struct spf_limits limits;
	enum phase needed;     /* the phase that can't end without the result */
};

struct spf_outcome {
	struct spf_fact fact;
	unsigned lookups;      /* terms that caused look-ups */
};

/* Engines. begin() gets requests only whose domain can be checked; run is its own. */
struct spf_engine {
	const char *name;
	void *(*begin)(struct arena *arena, struct questions *qs, const struct spf_request *request);
	/* Fills fact but for its domain, sender and helo; may be called again until DONE. */
	enum step (*step)(void *run, struct spf_outcome *outcome_r);
};

extern const struct spf_engine spf_native;  /* filters/spf_eval.c */
extern const struct spf_engine spf_libspf2; /* filters/spf_libspf2.c */
extern const struct spf_engine *const spf_engines[]; /* NULL-terminated */
/* By name; NULL: none. */
const struct spf_engine *spf_engine_find(struct slice name);

/* The request's client must have an address. The request is copied; what it
 * points to must live as long as the arena. */
struct spf_check *spf_check_begin(struct arena *arena, struct questions *qs, const struct spf_engine *engine,
				  const struct spf_request *request);
/* NEED: call again when answers have come. Once DONE, always DONE. */
enum step spf_check_step(struct spf_check *check);
/* When DONE. */
const struct spf_outcome *spf_check_outcome(const struct spf_check *check);

/*
 * local and domain of a reverse-path without its angle brackets; of the null
 * one and of HELO itself postmaster at the HELO name (RFC 7208 2.3, 2.4).
 */
void spf_request_mail_from(struct spf_request *request, struct slice reverse_path);
void spf_request_helo(struct spf_request *request);
/* local@domain */
struct slice spf_request_sender(struct arena *arena, const struct spf_request *request);

#endif
