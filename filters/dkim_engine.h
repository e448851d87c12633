#ifndef GATEHOUSE_FILTERS_DKIM_ENGINE_H
#define GATEHOUSE_FILTERS_DKIM_ENGINE_H
/*
 * dkim_engine: who does the arithmetic. What a signature says and whether its
 * key may be used is decided before, alike for every engine; the engine hashes
 * and verifies.
 *
 * native:       our own canonicalisation over OpenSSL; the default.
 * libopendkim:  the library of that name, held to what it can do.
 */
#include "filters/dkim_key.h"
#include "message/message.h"

enum dkim_verdict {
	DKIM_NOT_CHECKED,        /* the signature was not asked about */
	DKIM_VERIFIED,           /* header and body */
	DKIM_BODY_DIFFERS,       /* bh= is not the body's hash */
	DKIM_HEADER_DIFFERS,     /* b= does not verify */
	DKIM_LENGTH_TOO_LARGE,   /* l= is over the body's length */
	DKIM_CANNOT,             /* the engine can't do this one */
};

struct dkim_check {
	const struct dkim_signature *sig;
	bool wanted;             /* sig->result is AUTH_UNKNOWN, and not over the cap */
	/* Set before finish(): */
	struct dkim_keys keys;   /* tried in turn if keys.result is AUTH_UNKNOWN */
	/* Set by finish(): */
	enum dkim_verdict verdict;
	size_t key_used;         /* index in keys.keys, when verified */
	uint64_t body_length;    /* canonical */
};

struct dkim_engine {
	const char *name;
	/* At the end of the header section; its fields are not looked at later.
	 * checks are for the first count DKIM-Signature fields, top first. */
	void *(*begin)(struct arena *arena, const struct message *message, struct dkim_check *checks,
		       size_t count);
	void (*body)(void *engine, struct slice chunk);
	/* Once; sets the verdicts of those wanted that have keys. */
	void (*finish)(void *engine);
};

extern const struct dkim_engine dkim_native;
extern const struct dkim_engine dkim_opendkim;

#endif
