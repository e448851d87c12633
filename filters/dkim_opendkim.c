/*
 * The second engine: libopendkim 2.11 beta. The one file that includes it.
 *
 * The library is given no more than it can do: only signatures that passed
 * our own checks, none without v= (it trips an assertion of its own), one key
 * record each, never its own DNS. What it can't do ends as DKIM_CANNOT:
 *  - header fields with NUL, h= lists and key records over its fixed buffers
 *    (it cuts them silently), a From it can't parse;
 *  - "b =" with white space before the "=": it forgets to empty it;
 *  - a signature withheld from it, when another one signs it;
 *  - times: it compares t= and x= with the system's clock, and only that.
 *    Both were checked before against scan->now; a clock drift is chosen
 *    that lets old mail pass its check, and where none does, it can't.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

#include <opendkim/dkim.h>

#include "filters/dkim_engine.h"
#include "filters/dkim_hash.h"
#include "message/taglist.h"

#define FIELD_LIST_MAX 4000 /* it copies h= to 4,096 octets */
#define DEFAULT_DRIFT 300

struct open {
	DKIM *dkim;              /* NULL: can't */
	struct arena *arena;
	struct dkim_check **checks; /* those given to the library, in order */
	DKIM_SIGINFO **sigs;     /* beside them; NULL: it dropped that one */
	size_t count;
	struct dkim_bodies *bodies; /* lengths for l=: the library counts no further than that */
};

static DKIM_LIB *lib;
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t drift_lock = PTHREAD_MUTEX_INITIALIZER; /* the drift is the library's, not the mail's */

/* The key of the signature, as it stands in DNS. */
static DKIM_CBSTAT key_lookup(DKIM *dkim, DKIM_SIGINFO *sig, u_char *buf, size_t size)
{
	const struct open *o = dkim_get_user_context(dkim);
	for (size_t i = 0; i < o->count; i++) {
		if (o->sigs[i] != sig)
			continue;
		struct slice record = o->checks[i]->keys.record;
		if (record.len == 0 || record.len >= size || slice_chr(record, '\0') != SLICE_NPOS)
			return DKIM_CBSTAT_NOTFOUND;
		memcpy(buf, record.data, record.len);
		buf[record.len] = '\0';
		return DKIM_CBSTAT_CONTINUE;
	}
	return DKIM_CBSTAT_NOTFOUND;
}

static void open_library(void)
{
	u_int flags = DKIM_LIBFLAGS_DELAYSIGPROC;
	u_int min_bits = 1;
	lib = dkim_init(NULL, NULL);
	if (lib == NULL)
		abort(); /* out of memory */
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags));
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &min_bits, sizeof(min_bits));
	dkim_set_key_lookup(lib, key_lookup);
}

static void free_dkim(void *arg)
{
	dkim_free(arg);
}

static bool empties_b(struct slice value)
{
	struct slice spec, rest = value;
	while (slice_split(&rest, ';', &spec)) {
		size_t equals = slice_chr(spec, '=');
		struct slice name = slice_head(spec, equals == SLICE_NPOS ? 0 : equals);
		/* it takes any tag whose name ends in b for it, and "b =" not */
		if (slice_ends(slice_trim(name), SLICE("b")) &&
		    (!slice_eq(slice_trim(name), SLICE("b")) || !slice_ends(name, SLICE("b"))))
			return false;
	}
	return true;
}

static bool is_signature_field(const struct header *h)
{
	return !h->broken && slice_eq_nocase(h->name, SLICE("dkim-signature"));
}

static bool can_do(const struct dkim_check *c, bool all_given)
{
	return c->wanted && !c->sig->draft && c->sig->fields.len <= FIELD_LIST_MAX && empties_b(c->sig->header->value) &&
	       (all_given || !taglist_has(c->sig->fields, SLICE("dkim-signature")));
}

static void pick(struct open *o, struct dkim_check *checks, size_t count, bool all_given)
{
	o->checks = arena_array(o->arena, struct dkim_check *, count + 1);
	o->sigs = arena_array(o->arena, DKIM_SIGINFO *, count + 1);
	o->bodies = dkim_bodies_new(o->arena);
	for (size_t i = 0; i < count; i++) {
		checks[i].verdict = DKIM_CANNOT;
		if (!can_do(&checks[i], all_given))
			continue;
		o->checks[o->count++] = &checks[i];
		if (checks[i].sig->has_length)
			dkim_bodies_want(o->bodies, checks[i].sig);
	}
}

static bool is_given(const struct open *o, const struct header *h)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->checks[i]->sig->header == h)
			return true;
	return false;
}

static bool feed_headers(const struct open *o, const struct message *message)
{
	for (size_t i = 0; i < message->header_count; i++) {
		const struct header *h = &message->headers[i];
		struct slice field = h->field;
		if (h->broken || (is_signature_field(h) && !is_given(o, h)))
			continue;
		if (slice_chr(field, '\0') != SLICE_NPOS)
			return false;
		if (slice_ends(field, SLICE("\r\n")))
			field.len -= 2;
		/* it takes u_char *, and does not write there */
		if (dkim_header(o->dkim, (u_char *)(uintptr_t)field.data, field.len) != DKIM_STAT_OK)
			return false;
	}
	return true;
}

/* x= needs now < x + drift; t= needs t - drift <= now, and drift <= t, for
 * the difference is unsigned. */
static uint64_t choose_drift(const struct open *o)
{
	uint64_t now = (uint64_t)time(NULL), least = DEFAULT_DRIFT, most = UINT32_MAX;
	for (size_t i = 0; i < o->count; i++) {
		const struct dkim_signature *sig = o->checks[i]->sig;
		if (sig->expires > 0 && now >= sig->expires && now - sig->expires + 1 > least)
			least = now - sig->expires + 1;
		if (sig->signed_at > now && sig->signed_at - now > least)
			least = sig->signed_at - now;
		if (sig->signed_at > 0 && sig->signed_at < most)
			most = sig->signed_at;
	}
	return least < most ? least : most;
}

static DKIM_STAT end_of_headers(struct open *o)
{
	uint64_t drift = choose_drift(o);
	pthread_mutex_lock(&drift_lock);
	dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift, sizeof(drift));
	DKIM_STAT stat = dkim_eoh(o->dkim);
	pthread_mutex_unlock(&drift_lock);
	return stat;
}

/* The library leaves out those it finds malformed; the order stays. */
static void match_signatures(struct open *o)
{
	DKIM_SIGINFO **list = NULL;
	int count = 0;
	if (dkim_getsiglist(o->dkim, &list, &count) != DKIM_STAT_OK)
		return;
	size_t at = 0;
	for (int i = 0; i < count; i++) {
		struct slice d = slice_str((const char *)dkim_sig_getdomain(list[i]));
		struct slice s = slice_str((const char *)dkim_sig_getselector(list[i]));
		size_t j = at;
		while (j < o->count && !(slice_eq_nocase(o->checks[j]->sig->domain, d) &&
					 slice_eq_nocase(o->checks[j]->sig->selector, s)))
			j++;
		if (j == o->count)
			continue;
		o->sigs[j] = list[i];
		at = j + 1;
	}
}

static void *begin(struct arena *arena, const struct message *message, struct dkim_check *checks, size_t count)
{
	DKIM_STAT stat;
	struct open *o = arena_new(arena, struct open);
	o->arena = arena;
	size_t good = 0, total = message_header_count(message, SLICE("dkim-signature"));
	for (size_t i = 0; i < count; i++)
		good += can_do(&checks[i], true);
	pick(o, checks, count, good == total);
	if (o->count == 0)
		return o;
	pthread_once(&lib_once, open_library);
	o->dkim = dkim_verify(lib, (const unsigned char *)"gatehouse", NULL, &stat);
	if (o->dkim == NULL)
		abort(); /* out of memory */
	arena_on_reset(arena, free_dkim, o->dkim);
	dkim_set_user_context(o->dkim, o);
	if (feed_headers(o, message) && end_of_headers(o) == DKIM_STAT_OK)
		match_signatures(o);
	else
		o->dkim = NULL;
	return o;
}

static void body(void *engine, struct slice chunk)
{
	struct open *o = engine;
	if (o->dkim == NULL || chunk.len == 0)
		return;
	dkim_body(o->dkim, (u_char *)(uintptr_t)chunk.data, chunk.len);
	dkim_bodies_add(o->bodies, chunk);
}

static enum dkim_verdict verdict_of(const struct open *o, size_t i)
{
	DKIM_SIGINFO *sig = o->sigs[i];
	bool passed = (dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED) != 0;
	int error = dkim_sig_geterror(sig), bh = dkim_sig_getbh(sig);
	if (o->checks[i]->sig->has_length)
		o->checks[i]->body_length =
			dkim_bodies_total(o->bodies, dkim_bodies_want(o->bodies, o->checks[i]->sig));
	if (error == DKIM_SIGERROR_TOOLARGE_L)
		return DKIM_LENGTH_TOO_LARGE;
	if (bh == DKIM_SIGBH_MISMATCH)
		return DKIM_BODY_DIFFERS;
	if (passed && bh == DKIM_SIGBH_MATCH) /* the flag alone is the header's */
		return DKIM_VERIFIED;
	return error == DKIM_SIGERROR_BADSIG ? DKIM_HEADER_DIFFERS : DKIM_CANNOT;
}

static void finish(void *engine)
{
	struct open *o = engine;
	size_t left = 0;
	for (size_t i = 0; o->dkim != NULL && i < o->count; i++) {
		if (o->sigs[i] != NULL && o->checks[i]->keys.result != AUTH_UNKNOWN) {
			dkim_sig_ignore(o->sigs[i]);
			o->sigs[i] = NULL;
		}
		left += o->sigs[i] != NULL;
	}
	if (left == 0)
		return;
	dkim_bodies_end(o->bodies);
	dkim_eom(o->dkim, NULL); /* what it says is of the first signature only */
	for (size_t i = 0; i < o->count; i++)
		if (o->sigs[i] != NULL)
			o->checks[i]->verdict = verdict_of(o, i);
}

const struct dkim_engine dkim_opendkim = { .name = "libopendkim", .begin = begin, .body = body, .finish = finish };
