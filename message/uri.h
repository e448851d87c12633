#ifndef GATEHOUSE_MESSAGE_URI_H
#define GATEHOUSE_MESSAGE_URI_H
/*
 * uri: the URIs of a mail, from its text and its HTML, each with the forms a
 * reader or browser may make of it: percent and entities decoded, user and
 * default port dropped, IDN as A-labels, odd number forms of IPv4, the target
 * of a redirector. A host with no known top-level domain is none.
 */
#include "base/arena.h"

enum uri_type {
	URI_PARSED = 1 << 0,      /* found in text */
	URI_SCHEMELESS = 1 << 1,  /* had no scheme there */
	URI_UNLINKED = 1 << 2,    /* a bare name that readers don't make a link of: for look-ups only */
	URI_A = 1 << 3,           /* <a>, <area> */
	URI_IMG = 1 << 4,
	URI_FORM = 1 << 5,
	URI_LINK = 1 << 6,
	URI_FRAME = 1 << 7,       /* <frame>, <iframe> */
	URI_SCRIPT = 1 << 8,
	URI_OBJECT = 1 << 9,      /* <embed>, <object>, <bgsound>, <video> … */
	URI_BASE = 1 << 10,
	URI_META = 1 << 11,       /* refresh */
	URI_BACKGROUND = 1 << 12, /* background attribute or style */
	URI_HIDDEN = 1 << 13,     /* only where the eye doesn't see it */
	URI_DKIM = 1 << 14,       /* d= of a DKIM signature: a host for look-ups, no forms for rules */
};

struct uri_host {
	struct slice host;        /* lower case, A-labels; or an IP address */
	struct slice domain;      /* registered domain; the address itself for an IP */
};

struct uri {
	struct slice raw;         /* as found; from text with the scheme it lacked */
	unsigned types;           /* enum uri_type */
	const char **tags;        /* HTML element names it came from */
	size_t tag_count;
	struct slice *cleaned;    /* forms for rules: raw first, then what became of it */
	size_t cleaned_count;
	struct uri_host *hosts;   /* of all forms, each once */
	size_t host_count;
	struct slice *anchors;    /* texts that linked to it, each once */
	size_t anchor_count;
};

struct uri_limits {
	size_t uris;              /* 0: 5,000 */
	size_t length;            /* 0: 8,192: what is longer is cut */
	/* The target of a redirector the caller knows, pointing into uri or the
	 * arena; empty: none. May be NULL. */
	struct slice (*redirect)(const void *arg, struct arena *arena, struct slice uri);
	const void *redirect_arg;
};

struct uris {
	struct arena *arena;
	struct uri *list;
	size_t count, cap;
	bool cut;                 /* more than limits.uris, or one longer than limits.length */
	struct uri_limits limits;
	size_t *index;            /* internal: hash of raw */
	size_t index_size;
};

/* limits may be NULL. */
void uris_init(struct uris *uris, struct arena *arena, const struct uri_limits *limits);
/* All URIs, mail addresses and plain domain names in a text (UTF-8). */
void uris_from_text(struct uris *uris, struct slice text, bool hidden);
/* One found in HTML; tag and anchor may be NULL and empty. */
void uris_from_html(struct uris *uris, struct slice uri, const char *tag, struct slice anchor, bool hidden);

/* The signing domain of a DKIM-Signature or DomainKey-Signature field's value. */
void uris_from_dkim(struct uris *uris, struct slice value);

/* All forms of one URI as rules see them, itself first. */
size_t uri_clean(struct arena *arena, struct slice uri, const struct uri_limits *limits,
	struct slice **forms_r);
/* Host of a URI as in struct uri_host; false: none, or no valid one. */
bool uri_host(struct arena *arena, struct slice uri, struct uri_host *host_r);
/* Percent escapes of printable ASCII and UTF-8 undone. */
struct slice uri_percent_decode(struct arena *arena, struct slice s);
/* RFC 3986 5.2, leniently. */
struct slice uri_resolve(struct arena *arena, struct slice base, struct slice reference);

#endif
