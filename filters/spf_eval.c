/*
 * The native SPF engine (RFC 7208 4 to 6). Records that include others stand
 * on a stack of frames, so a run that lacks an answer stops where it is and
 * goes on from there: its time is linear in the text of the records.
 *
 * When a record has come, what its terms will ask for first is asked for at
 * once, as far as the limit of terms allows. So at most limits.terms questions
 * are asked ahead, and none behind a term that is sure to end the evaluation.
 */
#include "filters/spf_check.h"
#include "filters/spf_macro.h"
#include "filters/spf_record.h"

/* What a frame did: it can go on, lacks an answer, or all is decided. */
enum move { MOVE_ON, MOVE_NEED, MOVE_DONE };

/* What a term's look-ups came to. */
enum match { MATCH_NO, MATCH_YES, MATCH_NEED, MATCH_TEMPERROR, MATCH_PERMERROR };

/* Host names of MX or PTR records, read once. */
struct names {
	struct slice *list;
	size_t count;
	bool read;
};

/* One record under evaluation. */
struct frame {
	struct frame *parent;      /* whose include this is; NULL: none */
	bool redirected;           /* reached by redirect */
	struct slice domain;       /* raw octets, without final dot */
	bool loaded;
	struct spf_record record;
	struct slice rest;         /* terms not yet begun */
	struct spf_term term;      /* begun, if in_term */
	bool in_term;
	bool targeted;
	struct slice target;       /* raw name the term is about */
	struct slice asked;        /* the same as ask_dns() reads it */
	struct names mx;
};

struct run {
	struct arena *arena;
	struct questions *qs;
	const struct spf_request *request;
	struct spf_macro_values values;
	struct frame *frame;       /* innermost */
	enum auth_result result;   /* AUTH_UNKNOWN: not yet */
	struct slice mechanism, problem, explanation;
	struct slice exp;          /* domain-spec of the record that failed; empty: nothing to explain */
	struct slice exp_domain;   /* of that record */
	unsigned terms, voids, ahead;
	struct slice reverse;      /* the client's name in in-addr.arpa or ip6.arpa */
	struct names ptr;
	struct names validated;    /* those of ptr that have the client's address (5.5) */
};

static void *begin(struct arena *arena, struct questions *qs, const struct spf_request *request)
{
	struct run *run = arena_new(arena, struct run);
	run->arena = arena;
	run->qs = qs;
	run->request = request;
	run->values = (struct spf_macro_values){
		.sender = spf_request_sender(arena, request),
		.local = request->local,
		.sender_domain = request->domain,
		.client = request->client,
		.helo = request->helo,
		.receiver = request->receiver,
		.now = request->now,
	};
	run->reverse = dns_reverse_name(arena, ip_slice(&request->client), SLICE_EMPTY);
	run->frame = arena_new(arena, struct frame);
	run->frame->domain = request->domain;
	return run;
}

#define PROBLEM_TEXT_MAX 200u

/* A problem is told where it was met first. */
static void set_problem(struct run *run, struct slice what, const char *why)
{
	if (run->problem.len == 0)
		run->problem = arena_printf(run->arena, "%.*s: %s",
					    SLICE_ARG(slice_head(what, PROBLEM_TEXT_MAX)), why);
}

static const struct answer *ask(struct run *run, struct slice name, enum dns_type type)
{
	return ask_dns(run->qs, name, type, run->request->needed);
}

static enum dns_type address_type(const struct run *run)
{
	return run->request->client.family == 6 ? DNS_AAAA : DNS_A;
}

static bool is_void(const struct answer *answer)
{
	return answer->status != ANSWER_TEMPERROR && answer->count == 0;
}

static unsigned prefix_of(const struct run *run, const struct spf_term *term)
{
	return run->request->client.family == 6 ? term->bits6 : term->bits4;
}

static bool network_match(const struct run *run, const struct spf_term *term)
{
	const struct ip *client = &run->request->client;
	return term->network.family == client->family &&
	       spf_prefix_match(client, term->network.bytes, prefix_of(run, term));
}

static bool address_match(const struct run *run, const struct answer *answer, unsigned bits)
{
	const struct ip *client = &run->request->client;
	for (size_t i = 0; i < answer->count; i++)
		if (answer->records[i].len == ip_slice(client).len &&
		    spf_prefix_match(client, answer->records[i].data, bits))
			return true;
	return false;
}

/* offset: of the name in the rdata. The root is no host: a null MX (RFC 7505). */
static void read_names(struct run *run, struct names *names, const struct answer *answer, size_t offset,
		       size_t max)
{
	if (names->read)
		return;
	names->read = true;
	names->list = arena_array(run->arena, struct slice, answer->count);
	for (size_t i = 0; i < answer->count && i < max; i++) {
		struct slice name = dns_name(run->arena, answer->records[i], offset);
		if (name.len > 0 && !slice_eq(name, SLICE(".")))
			names->list[names->count++] = name;
	}
}

/* ---- The client's names, for ptr and %{p} ---- */

/* False: an answer is missing. */
static bool validate_names(struct run *run)
{
	const struct answer *ptr = ask(run, run->reverse, DNS_PTR);
	bool missing = false;
	if (run->validated.read || ptr == NULL)
		return ptr != NULL;
	read_names(run, &run->ptr, ptr, 0, run->request->limits.ptr_names);
	for (size_t i = 0; i < run->ptr.count; i++)
		missing = ask(run, run->ptr.list[i], address_type(run)) == NULL || missing;
	if (missing)
		return false;
	run->validated.list = arena_array(run->arena, struct slice, run->ptr.count);
	run->validated.read = true;
	for (size_t i = 0; i < run->ptr.count; i++) {
		const struct answer *a = ask(run, run->ptr.list[i], address_type(run));
		if (address_match(run, a, run->request->client.family == 6 ? 128 : 32))
			run->validated.list[run->validated.count++] = run->ptr.list[i];
	}
	return true;
}

static bool is_below(struct slice name, struct slice domain)
{
	return name.len > domain.len && slice_ends_nocase(name, domain) &&
	       name.data[name.len - domain.len - 1] == '.';
}

/* For %{p}: the domain itself, else a name below it, else any (7.3). */
static struct slice best_name(const struct run *run, struct slice domain)
{
	struct slice best = SLICE_EMPTY;
	for (size_t i = 0; i < run->validated.count; i++) {
		struct slice name = run->validated.list[i];
		if (slice_eq_nocase(name, domain))
			return name;
		if (best.len == 0 || (is_below(name, domain) && !is_below(best, domain)))
			best = name;
	}
	return best;
}

/* Makes values ready for a text of that domain's record. False: an answer is missing. */
static bool set_values(struct run *run, struct slice domain, struct slice text)
{
	run->values.domain = domain;
	if (!spf_macro_uses_p(text))
		return true;
	if (!validate_names(run))
		return false;
	run->values.validated = best_name(run, domain);
	return true;
}

/* ---- Asking ahead ---- */

#define DNS_ADDRESS UINT16_MAX /* A or AAAA, as the client has it */

/* What a term asks for first; 0: it does no look-up and isn't counted (4.6.4). */
static const uint16_t first_question[] = {
	[SPF_ALL] = 0,       [SPF_INCLUDE] = DNS_TXT, [SPF_A] = DNS_ADDRESS,  [SPF_MX] = DNS_MX,
	[SPF_PTR] = DNS_PTR, [SPF_IP4] = 0,           [SPF_IP6] = 0,          [SPF_EXISTS] = DNS_A,
	[SPF_REDIRECT] = DNS_TXT, [SPF_EXP] = 0,      [SPF_OTHER_MODIFIER] = 0,
};

static void ask_ahead(struct run *run, const struct frame *f, enum spf_term_kind kind, struct slice spec)
{
	uint16_t type = first_question[kind];
	struct slice name = f->domain;
	run->ahead++;
	if (kind == SPF_PTR || spf_macro_uses_p(spec)) {
		ask(run, run->reverse, DNS_PTR);
		return;
	}
	if (spec.len > 0) {
		set_values(run, f->domain, spec);
		name = spf_macro_domain(run->arena, spec, &run->values);
	}
	ask(run, spf_dns_escape(run->arena, name), type == DNS_ADDRESS ? address_type(run) : (enum dns_type)type);
}

static void ask_all_ahead(struct run *run, const struct frame *f)
{
	struct slice rest = f->rest;
	struct spf_term term;
	unsigned limit = run->request->limits.terms, used = run->terms;
	while (used < limit && run->ahead < limit) {
		if (!spf_term_next(&rest, &term)) {
			if (f->record.redirect.len > 0)
				ask_ahead(run, f, SPF_REDIRECT, f->record.redirect);
			return;
		}
		if (term.kind == SPF_ALL || network_match(run, &term))
			return;
		if (term.qualifier != 0 && first_question[term.kind] != 0) {
			ask_ahead(run, f, term.kind, term.domain);
			used++;
		}
	}
}

/* ---- Results ---- */

static const enum auth_result by_qualifier[] = {
	['+'] = AUTH_PASS, ['-'] = AUTH_FAIL, ['~'] = AUTH_SOFTFAIL, ['?'] = AUTH_NEUTRAL,
};

static enum move conclude_all(struct run *run, const struct frame *f, enum auth_result result)
{
	run->result = result;
	if (result == AUTH_FAIL) {
		run->exp = f->record.exp;
		run->exp_domain = f->domain;
	}
	if (f->in_term && result != AUTH_TEMPERROR && result != AUTH_PERMERROR)
		run->mechanism = f->term.text;
	return MOVE_DONE;
}

/* The innermost frame has come to its result; what included it goes on with
 * that (table of 5.2), or comes to its own. */
static enum move conclude(struct run *run, enum auth_result result)
{
	for (;;) {
		struct frame *f = run->frame, *parent = f->parent;
		if (result == AUTH_NONE && (f->redirected || parent != NULL)) {
			set_problem(run, f->domain, "has no SPF record");
			result = AUTH_PERMERROR; /* 5.2, 6.1 */
		}
		if (parent == NULL)
			return conclude_all(run, f, result);
		run->frame = parent;
		if (result == AUTH_FAIL || result == AUTH_SOFTFAIL || result == AUTH_NEUTRAL) {
			parent->in_term = false;
			return MOVE_ON;
		}
		if (result == AUTH_PASS)
			result = by_qualifier[(unsigned char)parent->term.qualifier];
	}
}

/* ---- Records ---- */

/* The one SPF record of the TXT records (4.5). Others are none of our business. */
static size_t select_record(struct run *run, const struct answer *answer, struct slice *record_r)
{
	size_t found = 0;
	for (size_t i = 0; i < answer->count; i++) {
		struct slice txt = dns_txt(run->arena, answer->records[i]);
		if (!spf_record_is(txt))
			continue;
		*record_r = txt;
		found++;
	}
	return found;
}

static enum move load(struct run *run, struct frame *f)
{
	struct spf_syntax_error error;
	struct slice txt = SLICE_EMPTY;
	const struct answer *answer = ask(run, spf_dns_escape(run->arena, f->domain), DNS_TXT);
	if (answer == NULL)
		return MOVE_NEED;
	if (answer->status == ANSWER_TEMPERROR) {
		set_problem(run, f->domain, answer->why ? answer->why : "no answer");
		return conclude(run, AUTH_TEMPERROR);
	}
	size_t found = select_record(run, answer, &txt);
	if (found == 0)
		return conclude(run, AUTH_NONE);
	if (found > 1) {
		set_problem(run, f->domain, "has several SPF records");
		return conclude(run, AUTH_PERMERROR);
	}
	if (!spf_record_check(txt, &f->record, &error)) {
		set_problem(run, error.term, error.why);
		return conclude(run, AUTH_PERMERROR);
	}
	f->rest = f->record.terms;
	f->loaded = true;
	ask_all_ahead(run, f);
	return MOVE_ON;
}

/* Evaluation goes on with another domain's record. */
static enum move enter(struct run *run, struct frame *parent, struct slice domain, bool redirected)
{
	struct frame *inner = arena_new(run->arena, struct frame);
	inner->domain = domain;
	inner->parent = parent;
	inner->redirected = redirected;
	run->frame = inner;
	return MOVE_ON;
}

/* ---- Terms ---- */

static enum match lookup_failed(struct run *run, struct slice name, const struct answer *answer)
{
	set_problem(run, name, answer->why ? answer->why : "no answer");
	return MATCH_TEMPERROR;
}

/* A term that found nothing; too many are an error (4.6.4). A name that
 * can't be asked was not looked up. */
static enum match found_nothing(struct run *run, const struct frame *f)
{
	if (!dns_name_ok(f->asked) || ++run->voids <= run->request->limits.voids)
		return MATCH_NO;
	set_problem(run, f->term.text, "too many look-ups that find nothing");
	return MATCH_PERMERROR;
}

static enum match match_a(struct run *run, struct frame *f)
{
	const struct answer *a = ask(run, f->asked, address_type(run));
	if (a == NULL)
		return MATCH_NEED;
	if (a->status == ANSWER_TEMPERROR)
		return lookup_failed(run, f->target, a);
	if (is_void(a))
		return found_nothing(run, f);
	return address_match(run, a, prefix_of(run, &f->term)) ? MATCH_YES : MATCH_NO;
}

static enum match match_exists(struct run *run, struct frame *f)
{
	const struct answer *a = ask(run, f->asked, DNS_A);
	if (a == NULL)
		return MATCH_NEED;
	if (a->status == ANSWER_TEMPERROR)
		return lookup_failed(run, f->target, a);
	return is_void(a) ? found_nothing(run, f) : MATCH_YES;
}

/* All names are asked for together. What matches counts, whatever became of
 * the others; so the outcome does not depend on which answer comes first. */
static enum match match_mx_names(struct run *run, struct frame *f)
{
	bool matched = false, missing = false, nothing = false;
	const struct answer *failed = NULL;
	struct slice failed_name = SLICE_EMPTY;
	for (size_t i = 0; i < f->mx.count; i++) {
		const struct answer *a = ask(run, f->mx.list[i], address_type(run));
		missing = missing || a == NULL;
		if (a == NULL)
			continue;
		if (a->status == ANSWER_TEMPERROR && failed == NULL) {
			failed = a;
			failed_name = f->mx.list[i];
		}
		matched = matched || address_match(run, a, prefix_of(run, &f->term));
		nothing = nothing || is_void(a);
	}
	if (matched)
		return MATCH_YES;
	if (missing)
		return MATCH_NEED;
	if (failed != NULL)
		return lookup_failed(run, failed_name, failed);
	return nothing ? found_nothing(run, f) : MATCH_NO;
}

static enum match match_mx(struct run *run, struct frame *f)
{
	const struct answer *mx = ask(run, f->asked, DNS_MX);
	if (mx == NULL)
		return MATCH_NEED;
	if (mx->status == ANSWER_TEMPERROR)
		return lookup_failed(run, f->target, mx);
	if (is_void(mx))
		return found_nothing(run, f);
	if (mx->count > run->request->limits.mx_names) {
		set_problem(run, f->target, "too many MX records");
		return MATCH_PERMERROR;
	}
	read_names(run, &f->mx, mx, 2, mx->count);
	return match_mx_names(run, f);
}

/* Errors of its look-ups are no errors of the check (5.5). */
static enum match match_ptr(struct run *run, struct frame *f)
{
	if (!validate_names(run))
		return MATCH_NEED;
	for (size_t i = 0; i < run->validated.count; i++)
		if (slice_eq_nocase(run->validated.list[i], f->asked) || is_below(run->validated.list[i], f->asked))
			return MATCH_YES;
	return is_void(ask(run, run->reverse, DNS_PTR)) ? found_nothing(run, f) : MATCH_NO;
}

static enum match match_network(struct run *run, struct frame *f)
{
	return network_match(run, &f->term) ? MATCH_YES : MATCH_NO;
}

static enum match match_all(struct run *run, struct frame *f)
{
	(void)run;
	(void)f;
	return MATCH_YES;
}

/* An include is not here: it is entered. */
static enum match (*const matchers[])(struct run *run, struct frame *f) = {
	[SPF_ALL] = match_all, [SPF_A] = match_a,           [SPF_MX] = match_mx,       [SPF_PTR] = match_ptr,
	[SPF_IP4] = match_network, [SPF_IP6] = match_network, [SPF_EXISTS] = match_exists,
};

/* Counts a term that needs look-ups before its evaluation. False: too many. */
static bool count_term(struct run *run, enum spf_term_kind kind, struct slice text)
{
	if (first_question[kind] == 0)
		return true;
	if (run->terms < run->request->limits.terms) {
		run->terms++;
		return true;
	}
	set_problem(run, text, "too many terms that need look-ups");
	return false;
}

static enum move begin_term(struct run *run, struct frame *f)
{
	struct slice redirect = f->record.redirect;
	do {
		if (spf_term_next(&f->rest, &f->term))
			continue;
		if (redirect.len == 0)
			return conclude(run, AUTH_NEUTRAL);
		f->term = (struct spf_term){ SPF_REDIRECT, .qualifier = '+', .text = redirect, .domain = redirect };
	} while (f->term.qualifier == 0);
	f->in_term = true;
	f->targeted = false;
	f->mx = (struct names){ 0 };
	return count_term(run, f->term.kind, f->term.text) ? MOVE_ON : conclude(run, AUTH_PERMERROR);
}

/* False: an answer is missing. */
static bool set_target(struct run *run, struct frame *f)
{
	if (f->targeted)
		return true;
	if (!set_values(run, f->domain, f->term.domain))
		return false;
	f->target = f->domain;
	if (f->term.domain.len > 0)
		f->target = spf_macro_domain(run->arena, f->term.domain, &run->values);
	f->asked = spf_dns_escape(run->arena, f->target);
	f->targeted = true;
	return true;
}

static enum move run_term(struct run *run, struct frame *f)
{
	if (!set_target(run, f))
		return MOVE_NEED;
	if (f->term.kind == SPF_INCLUDE)
		return enter(run, f, f->target, false);
	if (f->term.kind == SPF_REDIRECT)
		return enter(run, f->parent, f->target, true);
	switch (matchers[f->term.kind](run, f)) {
	case MATCH_NEED: return MOVE_NEED;
	case MATCH_YES: return conclude(run, by_qualifier[(unsigned char)f->term.qualifier]);
	case MATCH_TEMPERROR: return conclude(run, AUTH_TEMPERROR);
	case MATCH_PERMERROR: return conclude(run, AUTH_PERMERROR);
	case MATCH_NO: break;
	}
	f->in_term = false;
	return MOVE_ON;
}

static enum move evaluate(struct run *run)
{
	enum move move;
	do {
		struct frame *f = run->frame;
		move = !f->loaded ? load(run, f) : !f->in_term ? begin_term(run, f) : run_term(run, f);
	} while (move == MOVE_ON);
	return move;
}

/* The domain's own words for a fail (6.2). Whatever goes wrong, there are none
 * then. False: an answer is missing. */
static bool explain(struct run *run)
{
	if (run->exp.len == 0)
		return true;
	if (!set_values(run, run->exp_domain, run->exp))
		return false;
	struct slice name = spf_macro_domain(run->arena, run->exp, &run->values);
	const struct answer *a = ask(run, spf_dns_escape(run->arena, name), DNS_TXT);
	if (a == NULL)
		return false;
	if (a->count != 1)
		return true;
	struct slice text = dns_txt(run->arena, a->records[0]);
	if (!set_values(run, run->exp_domain, text))
		return false;
	spf_macro_explanation(run->arena, text, &run->values, &run->explanation);
	return true;
}

static enum step step(void *state, struct spf_outcome *outcome_r)
{
	struct run *run = state;
	if (run->result == AUTH_UNKNOWN && evaluate(run) == MOVE_NEED)
		return STEP_NEED;
	if (!explain(run))
		return STEP_NEED;
	outcome_r->fact.result = run->result;
	outcome_r->fact.mechanism = run->mechanism;
	outcome_r->fact.explanation = run->explanation;
	outcome_r->lookups = run->terms;
	if (run->result == AUTH_TEMPERROR || run->result == AUTH_PERMERROR)
		outcome_r->fact.problem = run->problem;
	return STEP_DONE;
}

const struct spf_engine spf_native = { "native", begin, step };
