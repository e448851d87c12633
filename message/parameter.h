#ifndef GATEHOUSE_MESSAGE_PARAMETER_H
#define GATEHOUSE_MESSAGE_PARAMETER_H
/*
 * parameter: the value and the parameters of Content-Type and
 * Content-Disposition (RFC 2045 5.1, RFC 2183, RFC 2231), read leniently:
 * comments, missing or single quotes, missing semicolons, white space around
 * "=", encoded words inside, continuations in any order.
 */
#include "base/arena.h"

struct parameter {
	struct slice name;      /* lower case, without RFC 2231's "*0*" */
	struct slice value;     /* UTF-8; continuations joined, percent and encoded words undone */
	struct slice raw;       /* as written, quotes undone; of the first piece */
	bool extended;          /* came by RFC 2231 */
	bool alternative;       /* how some readers take an odd construct: never found by name */
};

struct parameters {
	struct slice value;     /* before the first ";", lower case, comments gone: "text/plain" */
	struct parameter *list; /* in order; the same name may come again */
	size_t count;
	bool odd;               /* was not RFC 2045's grammar, or a name came twice */
};

/* field: a header's value, folded or not. */
struct parameters parameters_parse(struct arena *arena, struct slice field);
/* The first one of that name, RFC 2231 form before plain; NULL: none. */
const struct parameter *parameters_find(const struct parameters *p, struct slice name);
/* Its value; empty if none. */
struct slice parameters_value(const struct parameters *p, struct slice name);

#endif
