#ifndef GATEHOUSE_FILTERS_FILTER_H
#define GATEHOUSE_FILTERS_FILTER_H
/*
 * filter: one check of the pipeline. It does no I/O.
 *
 * The contract:
 *  - step() is called in each phase of its mask, in order, once the filters
 *    it names in `after` are done with that phase. It returns STEP_DONE, or
 *    STEP_NEED when an answer it asked for is not there; then it is called
 *    again when any answer has come. So a step may run many times until it
 *    says DONE: it may ask, read, and conclude; hits and facts only when it
 *    concludes.
 *  - PHASE_RCPT comes once for each recipient (scan->recipient is its index)
 *    and state carries over between them.
 *  - body() gets each chunk of the body once, in order, and never asks. It is
 *    called only after the filter's own PHASE_HEADERS step said DONE.
 *  - Ask as early as you can: what is needed at END is asked for at HEADERS
 *    (`needed` names the phase), so look-ups run while the body streams.
 *  - A look-up that failed is an answer (ANSWER_TEMPERROR). What it then does
 *    is the administrator's on-error setting: scan_on_error() does that.
 *  - A filter never touches a socket or a file, never sleeps, reads the time
 *    as scan->now and settings from scan_settings().
 *  - Memory comes from scan->arena. Objects of outside libraries are freed by
 *    arena_on_reset().
 *  - An outside connection that never reaches END leaves no trace but that.
 */
#include "base/settings.h"
#include "message/phase.h"

struct scan;

enum step {
	STEP_DONE, /* concluded for this phase */
	STEP_NEED, /* at least one question asked is unanswered */
};

enum on_error { ON_ERROR_SKIP, ON_ERROR_DEFER };

/* First member of every filter's settings struct, filled from the settings
 * every filter section has (FILTER_SETTINGS in filters/registry.h). */
struct filter_common {
	bool enabled;
	bool shadow;            /* its hits are recorded, not enforced */
	int on_error;           /* enum on_error */
};

/* A symbol that a filter may set. Scores are settings: this is the default. */
struct filter_symbol {
	const char *name;       /* "SPF_FAIL" */
	double score;
	const char *describe;   /* one line */
};

struct filter {
	const char *name;                     /* of its section: filter NAME { … } */
	unsigned phases;                      /* mask of PHASE_BIT */
	size_t state_size;                    /* per transaction, zeroed; 0: none */
	enum step (*step)(struct scan *scan, void *state, enum phase phase);
	void (*body)(struct scan *scan, void *state, struct slice chunk); /* or NULL */
	const char *const *after;             /* NULL-terminated names, or NULL */
	const struct setting *settings;       /* its own, without the common ones; or NULL */
	size_t settings_size;                 /* of the struct that begins with filter_common */
	const struct filter_symbol *symbols;  /* ends with name == NULL; or NULL */
	bool always;                          /* can't be switched off (relay) */
};

#endif
