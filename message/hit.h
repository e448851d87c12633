#ifndef GATEHOUSE_MESSAGE_HIT_H
#define GATEHOUSE_MESSAGE_HIT_H
/*
 * hit: one thing that a filter or a rule found, with its evidence. All hits
 * of a scan stand in one list; policy makes the verdict of them.
 */
#include "base/arena.h"
#include "message/phase.h"

/* What is to happen with a mail or a recipient, mildest first: of two actions
 * the later one wins. The names are those of `scan --json`. */
enum action {
	ACTION_NONE,       /* no action of its own: the score counts */
	ACTION_ACCEPT,
	ACTION_TAG,
	ACTION_GREYLIST,
	ACTION_REDIRECT,   /* to another recipient instead */
	ACTION_QUARANTINE,
	ACTION_DEFER,      /* 4xx */
	ACTION_REJECT,     /* 5xx */
	ACTION_DISCARD,
	ACTIONS
};

const char *action_name(enum action action);

/* What a client would be told. code 0: none, the policy's own text is used. */
struct refusal {
	uint16_t code;           /* 450 */
	const char *enhanced;    /* "4.7.1", RFC 3463 */
	struct slice text;       /* without codes; may hold "\n" for several lines */
};

struct hit {
	const char *symbol;      /* static, or lives as long as the snapshot */
	double score;
	struct slice evidence;   /* what was found, where; printable UTF-8; may be empty */
	const char *describe;    /* one line for people; may be NULL */
	enum action action;      /* the symbol's own action, or ACTION_NONE */
	struct refusal refusal;  /* used when action refuses */
	enum phase phase;
	int recipient;           /* index into the envelope, or -1: all */
	const char *filter;      /* name of the filter that found it; NULL: none did */
	bool shadow;             /* recorded, not enforced: its score does not count */
};

struct hits {
	struct arena *arena;
	struct hit *list;
	size_t count, cap;
};

/* Copies *hit; the evidence's bytes are copied and made printable (control
 * characters and invalid UTF-8 as \xNN), cut at 256 bytes. Returns the entry:
 * valid until the next hit is added. */
struct hit *hits_add(struct hits *hits, const struct hit *hit);
/* The first of that symbol; NULL: none. */
const struct hit *hits_find(const struct hits *hits, const char *symbol);

#endif
