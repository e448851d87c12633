#ifndef GATEHOUSE_RULES_RULE_H
#define GATEHOUSE_RULES_RULE_H
/*
 * rule: what one rule of the SpamAssassin language says, as read, and the
 * table of all of them. Made by rule_parse, finished by rule_compile, from
 * then on immutable. Everything lives in the table's arena.
 */
#include "base/arena.h"
#include "base/settings.h"
#include "message/hit.h"
#include "message/question.h"
#include "rules/name_map.h"

enum rule_type {
	RULE_NONE,        /* named by score, describe … only */
	RULE_HEADER,
	RULE_BODY,
	RULE_RAWBODY,
	RULE_FULL,
	RULE_URI,
	RULE_SKELETON,    /* ours: the body after folding away disguises */
	RULE_MIMEHEADER,
	RULE_URI_DETAIL,
	RULE_META,
	RULE_HEADER_EVAL,
	RULE_BODY_EVAL,
	RULE_RAWBODY_EVAL,
	RULE_FULL_EVAL,
	RULE_URIBL,       /* urirhsbl, urirhssub, uridnsbl, uridnssub, …nsrhs… */
	RULE_ASKDNS,
	RULE_TYPES
};
const char *rule_type_name(enum rule_type type); /* "header"; "header eval" */
static inline bool rule_type_is_eval(enum rule_type type)
{
	return type >= RULE_HEADER_EVAL && type <= RULE_FULL_EVAL;
}
/* Has one pattern that is matched against a channel of text. */
static inline bool rule_type_is_pattern(enum rule_type type)
{
	return type >= RULE_HEADER && type <= RULE_MIMEHEADER;
}

/* tflags that mean something to us. */
enum rule_tflag {
	TFLAG_NET = 1u << 0,
	TFLAG_NICE = 1u << 1,
	TFLAG_LEARN = 1u << 2,
	TFLAG_MULTIPLE = 1u << 3,
	TFLAG_NOSUBJECT = 1u << 4,
	TFLAG_USERCONF = 1u << 5,
	TFLAG_DOMAINS_ONLY = 1u << 6,
	TFLAG_IPS_ONLY = 1u << 7,
	TFLAG_A = 1u << 8,
	TFLAG_NS = 1u << 9,
	TFLAG_NOTRIM = 1u << 10,
	TFLAG_CONCAT = 1u << 11,
	TFLAG_RANGE = 1u << 12,
};

/* Perl's modifiers of a pattern. */
enum pattern_flag {
	PATTERN_I = 1u << 0,
	PATTERN_M = 1u << 1,
	PATTERN_S = 1u << 2,
	PATTERN_X = 1u << 3,
	PATTERN_XX = 1u << 4,
	PATTERN_N = 1u << 5,
	PATTERN_A = 1u << 6,
};

struct pattern {
	struct slice source;   /* between the delimiters; empty source with set == false: none */
	unsigned flags;
	bool set;
	/* Of a pattern whose tags were replaced: */
	struct slice compact;  /* the same with the tags as subroutines: for what is else too large */
	struct slice loose;    /* with tags as classes (pattern_loosen.h): matches at least as much */
};

/* The values a header rule looks at. */
enum header_part {
	HEADER_RAW = 1u << 0,
	HEADER_ADDR = 1u << 1,
	HEADER_NAME = 1u << 2,
	HEADER_HOST = 1u << 3,
	HEADER_DOMAIN = 1u << 4,
	HEADER_IP = 1u << 5,
	HEADER_REVIP = 1u << 6,
	HEADER_FIRST = 1u << 7,
	HEADER_LAST = 1u << 8,
};

struct header_selector {
	struct slice name;     /* "Subject", "ALL", "X-Spam-Relays-Untrusted" */
	unsigned parts;        /* of header_part */
};

/* One condition of uri_detail, or of mimeheader's kind: field =~ pattern. */
struct rule_condition {
	struct slice field;    /* raw, type, cleaned, text, domain, host */
	struct pattern pattern;
	bool negated;
	struct regex *regex;
};

enum uribl_kind {
	URIBL_RHSBL = 1u << 0,    /* ask domain.zone; else the address of the host is asked */
	URIBL_SUB = 1u << 1,      /* subtest: a bit mask, a value or a range */
	URIBL_NS = 1u << 2,       /* of the name servers (uridnsbl without `tflags a`) */
	URIBL_FULL = 1u << 3,     /* urifullnsrhs: the whole host name */
};

struct rule_uribl {
	unsigned kind;
	struct slice zone;
	struct slice record;      /* "A", "TXT" */
	struct slice subtest;
};

struct rule_askdns {
	struct slice name;        /* template with _TAG_ parts */
	struct slice record;      /* "TXT" */
	struct slice subtest;     /* text; empty: any answer hits */
	struct pattern pattern;
	struct regex *regex;
};

struct rule_test {
	bool ok;                  /* must hit, else must not */
	struct slice text;
};

enum rule_status { RULE_SUPPORTED, RULE_APPROXIMATE, RULE_UNSUPPORTED };
const char *rule_status_name(enum rule_status status);

struct rule_expr;
struct eval_function;
struct regex;

#define RULE_ARGS_MAX 12u

struct rule {
	struct slice name;        /* NUL-terminated */
	enum rule_type type;
	uint32_t index;           /* in the table */
	struct slice file;
	unsigned line;
	struct slice text;        /* the definition as written, behind the name */
	struct slice earlier_file; /* of the definition that this one replaced */
	unsigned earlier_line;    /* 0: none */

	struct header_selector header;
	bool exists;              /* header X exists:Y */
	bool negated;             /* !~ */
	bool has_unset;
	struct slice unset;       /* [if-unset: …] */
	bool unset_match;         /* the pattern matches that, or the empty string */
	struct pattern pattern;
	bool replace_tags;        /* named by replace_rules */

	struct slice function;    /* of eval */
	struct slice args[RULE_ARGS_MAX];
	unsigned arg_count;
	const struct eval_function *eval;

	struct rule_expr *expr;   /* of meta */

	struct rule_condition *conditions; /* uri_detail: all must hold */
	size_t condition_count;
	struct rule_uribl uribl;
	struct rule_askdns askdns;

	unsigned tflags;
	unsigned maxhits;         /* 0: no bound */
	int priority;
	double scores[4];         /* local, net, bayes, bayes + net */
	bool scored;              /* by a score line */
	double score;             /* of the set chosen at load; 0: not run */
	const char *describe;     /* may be NULL */
	struct rule_test *tests;
	size_t test_count, test_cap;

	bool shadow;
	enum action action;
	struct refusal refusal;

	bool reported;            /* the name of a filter's symbol */
	bool skipped;             /* stands in a conditional that is false here */
	bool wanted;              /* runs, or a rule that runs needs it */
	enum rule_status status;
	const char *reason;       /* of approximate, unsupported */

	struct regex *regex;
	uint32_t engine_id;       /* rule_engine's own number */
};

/* A rule whose name says that it is only a part of others. */
static inline bool rule_is_hidden(const struct rule *rule)
{
	return rule->name.len >= 2 && rule->name.data[0] == '_' && rule->name.data[1] == '_';
}

/* What a filter reports and no rule that runs defines: the filter's word is its value. */
static inline bool rule_told_by_filter(const struct rule *rule)
{
	return rule->reported && (!rule->wanted || rule->status == RULE_UNSUPPORTED);
}

/* A line that is no rule but that rules read: lists of addresses, domains. */
struct rule_setting {
	struct slice key;         /* lower case, "_" for "-" */
	struct slice value;
	struct slice file;
	unsigned line;
	struct rule_setting *next;
};

struct rule_settings {            /* of one key, in order */
	struct slice key;
	struct rule_setting *first, *last;
	size_t count;
};

struct rule_table {
	struct arena *arena;
	struct rule **list;       /* in order of first appearance */
	size_t count, cap;
	struct name_map names;    /* → index */
	struct rule_settings *settings;
	size_t setting_count, setting_cap;
	struct name_map setting_names;
	struct config_errors *errors;
	size_t files, lines;
	size_t ignored;           /* administrator's settings of SpamAssassin without a meaning here */
};

struct rule_table *rule_table_create(struct arena *arena, struct config_errors *errors);
/* NULL if there is none. */
struct rule *rule_table_find(const struct rule_table *table, struct slice name);
/* Finds or makes it. */
struct rule *rule_table_need(struct rule_table *table, struct slice name);
void rule_table_set(struct rule_table *table, struct slice key, struct slice value, struct slice file,
		    unsigned line);
/* NULL if the key was never set. */
const struct rule_settings *rule_table_get(const struct rule_table *table, const char *key);
/* The last value of a key as a number, else fallback. */
double rule_table_number(const struct rule_table *table, const char *key, double fallback);

/* First letter or "_", then letters, digits, "_"; at most 128. */
bool rule_name_ok(struct slice name);

/* Notes why; a milder status never replaces a worse one. reason lives in arena. */
void rule_downgrade(struct rule *rule, enum rule_status status, const char *reason);

#endif
