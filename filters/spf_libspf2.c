/*
 * The second SPF engine: libspf2, which only this file includes.
 *
 * Its DNS hook is synchronous. So a run answers it from the answers there are;
 * where one is missing it says "try again", throws the outcome away and runs
 * anew when the answer has come. What is mended from outside: it never gets
 * NULL (it would abort); type 99 is never asked for; TXT records that are no
 * SPF don't reach it, nor do records with syntax errors, which it takes too
 * lightly; records are put into its words (spf_rewrite); look-ups, includes
 * and void look-ups are limited as a whole (it limits each record alone);
 * errors behind a ptr are none; explanations are expanded by spf_macro,
 * because it garbles them. What is not: docs/authentication.md.
 */
#include <netinet/in.h>

#include <spf2/spf.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include "filters/spf_check.h"
#include "filters/spf_macro.h"
#include "filters/spf_record.h"
#include "filters/spf_rewrite.h"

struct objects {
	SPF_dns_server_t dns;
	SPF_server_t *server;
	SPF_request_t *request;
	SPF_response_t *response;
};

struct run {
	struct arena *arena;
	struct questions *qs;
	const struct spf_request *request;
	char *sender, *helo, *receiver;
	struct slice mark;         /* before names any of whose addresses is the client's; nobody can guess it */
	struct objects *objects;
	/* of one evaluation */
	bool missing;              /* an answer is not there */
	unsigned asked, terms, voids;
	struct slice *hosts;       /* names of the last MX or PTR answer; empty: asked for already */
	size_t host_count;
	bool hosts_of_ptr;
	bool for_ptr;              /* the question is a ptr's */
	const char *over;          /* the limit that was exceeded, or NULL */
	struct slice problem;      /* that a hook met: a record it was not given */
	const char *failed_name;   /* whose look-up failed */
	bool record_failed;        /* and it was a record's */
	struct slice exp;          /* explain-string, unexpanded */
};

/* ---- Errors of the library end in its error handler, which must not return ---- */

static _Thread_local jmp_buf *way_out;
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

static void on_error(const char *file, int line, const char *message) __attribute__((noreturn));
static void on_error(const char *file, int line, const char *message)
{
	(void)file;
	(void)line;
	(void)message;
	if (way_out == NULL)
		abort();
	longjmp(*way_out, 1);
}

static void set_handlers(void)
{
	SPF_error_handler = on_error;
	SPF_warning_handler = NULL;
	SPF_info_handler = NULL;
	SPF_debug_handler = NULL;
}

/* ---- DNS ---- */

static SPF_dns_rr_t *empty(SPF_dns_server_t *dns, const char *domain, ns_type type, SPF_dns_stat_t status)
{
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(dns, domain, type, 0, status);
	if (rr == NULL)
		longjmp(*way_out, 1);
	return rr;
}

/* A name of the last mx or ptr: the first time that it is asked for. */
static bool take_host(struct run *run, struct slice name)
{
	for (size_t i = 0; i < run->host_count; i++)
		if (run->hosts[i].len > 0 && slice_eq_nocase(run->hosts[i], name)) {
			run->hosts[i] = SLICE_EMPTY;
			return true;
		}
	return false;
}

/* What it asks for shows which terms it evaluates (RFC 7208 4.6.4): the names
 * of an mx or ptr are asked for right behind it, and the first record is free.
 * False: past the limit. */
static bool count_question(struct run *run, const char *domain, ns_type type)
{
	bool address = type == ns_t_a || type == ns_t_aaaa;
	bool host = address && take_host(run, slice_str(domain));
	if (!host && run->asked > 0 && ++run->terms > run->request->limits.terms)
		run->over = "too many terms that need look-ups";
	if (!address)
		run->host_count = 0;
	run->for_ptr = type == ns_t_ptr || (host && run->hosts_of_ptr);
	run->asked++;
	return run->over == NULL;
}

static SPF_dns_stat_t status_of(struct run *run, const struct answer *answer, const char *domain, ns_type type)
{
	if (answer->status == ANSWER_TEMPERROR) {
		if (run->for_ptr) /* its errors are none of the check (RFC 7208 5.5) */
			return HOST_NOT_FOUND;
		run->failed_name = arena_str(run->arena, slice_str(domain));
		run->record_failed = run->record_failed || type == ns_t_txt;
		return TRY_AGAIN;
	}
	if (answer->count > 0)
		return NETDB_SUCCESS;
	if (type != ns_t_ptr && type != ns_t_txt && ++run->voids > run->request->limits.voids)
		run->over = "too many look-ups that find nothing";
	return answer->status == ANSWER_NXDOMAIN ? HOST_NOT_FOUND : NO_DATA;
}

static void add_record(SPF_dns_rr_t *rr, struct slice data)
{
	int i = rr->num_rr;
	if (SPF_dns_rr_buf_realloc(rr, i, data.len + 1) != SPF_E_SUCCESS)
		longjmp(*way_out, 1);
	char *to = rr->rr[i]->txt;
	memcpy(to, data.data, data.len);
	to[data.len] = '\0';
	rr->num_rr++;
}

/* Its strings end at a NUL; another control character keeps such a record wrong. */
static struct slice without_nul(struct arena *arena, struct slice s)
{
	char *copy = arena_str(arena, s);
	for (size_t i = 0; i < s.len; i++)
		if (copy[i] == '\0')
			copy[i] = '\1';
	return slice_make(copy, s.len);
}

/* It cuts records off where their compiled form gets too long: "-all" would be lost. */
static bool is_cut(struct run *run, struct slice text)
{
	SPF_response_t *response = SPF_response_new(run->objects->request);
	SPF_record_t *record = NULL;
	struct slice rest;
	struct spf_record checked;
	struct spf_syntax_error error;
	struct spf_term term;
	size_t count = 0;
	if (spf_record_check(text, &checked, &error))
		for (rest = checked.terms; spf_term_next(&rest, &term);)
			count += term.qualifier != 0;
	SPF_record_compile(run->objects->server, response, &record, arena_str(run->arena, text));
	bool cut = record != NULL && record->num_mech < count && SPF_response_errors(response) == 0;
	if (record != NULL)
		SPF_record_free(record);
	SPF_response_free(response);
	return cut;
}

/* In its words; shorter, if need be. */
static struct slice adapted(struct run *run, const struct spf_record *record)
{
	struct spf_rewriting how = { .client = &run->request->client, .mark = run->mark };
	struct slice text = spf_rewrite(run->arena, record, &how);
	if (!is_cut(run, text))
		return text;
	how.networks = true;
	text = spf_rewrite(run->arena, record, &how);
	if (is_cut(run, text))
		run->problem = SLICE("a record is too long for libspf2");
	return text;
}

static void add_texts(struct run *run, SPF_dns_rr_t *rr, const struct answer *answer)
{
	struct spf_record record;
	struct spf_syntax_error error;
	for (size_t i = 0; i < answer->count; i++) {
		struct slice txt = dns_txt(run->arena, answer->records[i]);
		if (!spf_record_is(txt))
			continue;
		if (spf_record_check(txt, &record, &error))
			txt = adapted(run, &record);
		else
			run->problem = arena_printf(run->arena, "%.*s: %s", SLICE_ARG(error.term), error.why);
		add_record(rr, without_nul(run->arena, txt));
	}
}

/* What a record is to the library. Marked: any address is the client's, and
 * the names of mail exchangers are marked in their turn. */
static struct slice data_of(struct run *run, struct slice data, ns_type type, bool marked)
{
	if (type == ns_t_a || type == ns_t_aaaa)
		return marked ? ip_slice(&run->request->client) : data;
	struct slice name = dns_name(run->arena, data, type == ns_t_mx ? 2 : 0);
	return marked && name.len > 0 ? arena_printf(run->arena, "%.*s%.*s", SLICE_ARG(run->mark), SLICE_ARG(name))
				      : name;
}

static void add_records(struct run *run, SPF_dns_rr_t *rr, const struct answer *answer, ns_type type, bool marked)
{
	if (type == ns_t_txt) {
		add_texts(run, rr, answer);
		return;
	}
	size_t count = answer->count;
	if (type == ns_t_ptr && count > run->request->limits.ptr_names)
		count = run->request->limits.ptr_names; /* it would be an error to it */
	for (size_t i = 0; i < count; i++) {
		struct slice data = data_of(run, answer->records[i], type, marked);
		bool right = type == ns_t_a ? data.len == 4 : type == ns_t_aaaa ? data.len == 16 : data.len > 0;
		if (right)
			add_record(rr, data);
	}
}

static void keep_hosts(struct run *run, const SPF_dns_rr_t *rr, ns_type type)
{
	run->host_count = (size_t)rr->num_rr;
	run->hosts_of_ptr = type == ns_t_ptr;
	run->hosts = arena_array(run->arena, struct slice, run->host_count + 1);
	for (size_t i = 0; i < run->host_count; i++)
		run->hosts[i] = arena_copy(run->arena, slice_str(rr->rr[i]->txt));
}

/* The name to ask for. *marked_r: it bore our mark. */
static struct slice asked_name(struct run *run, const char *domain, bool *marked_r)
{
	struct slice name = arena_copy(run->arena, slice_str(domain));
	*marked_r = slice_starts(name, run->mark);
	if (*marked_r)
		name = slice_from(name, run->mark.len);
	return spf_dns_escape(run->arena, spf_domain_cut(name));
}

/* The text is kept for ourselves; what the library gets is not used. */
static SPF_errcode_t get_exp(SPF_server_t *server, const char *domain, char **buf, size_t *len)
{
	struct run *run = server->resolver->hook;
	bool marked;
	const struct answer *answer =
		ask_dns(run->qs, asked_name(run, domain, &marked), DNS_TXT, run->request->needed);
	run->missing = run->missing || answer == NULL;
	if (answer != NULL && answer->count == 1)
		run->exp = dns_txt(run->arena, answer->records[0]);
	char *text = realloc(*buf, 2);
	if (text == NULL)
		return SPF_E_NO_MEMORY;
	memcpy(text, "-", 2);
	*buf = text;
	*len = 2;
	return SPF_E_SUCCESS;
}

static SPF_dns_rr_t *look_up(SPF_dns_server_t *dns, const char *domain, ns_type type, int should_cache)
{
	struct run *run = dns->hook;
	(void)should_cache;
	if (type != ns_t_a && type != ns_t_aaaa && type != ns_t_mx && type != ns_t_ptr && type != ns_t_txt)
		return empty(dns, domain, type, NO_DATA);
	if (run->missing || !count_question(run, domain, type))
		return empty(dns, domain, type, TRY_AGAIN);
	bool marked;
	struct slice name = asked_name(run, domain, &marked);
	const struct answer *answer = ask_dns(run->qs, name, (enum dns_type)type, run->request->needed);
	if (answer == NULL) {
		run->missing = true;
		return empty(dns, domain, type, TRY_AGAIN);
	}
	SPF_dns_rr_t *rr = empty(dns, domain, type, status_of(run, answer, domain, type));
	add_records(run, rr, answer, type, marked);
	if (type == ns_t_mx || type == ns_t_ptr)
		keep_hosts(run, rr, type);
	if (rr->num_rr == 0 && rr->herrno == NETDB_SUCCESS)
		rr->herrno = NO_DATA;
	return rr;
}

/* ---- One evaluation ---- */

static void free_objects(struct objects *o)
{
	if (o->response != NULL)
		SPF_response_free(o->response);
	if (o->request != NULL)
		SPF_request_free(o->request);
	if (o->server != NULL)
		SPF_server_free(o->server);
}

static bool set_request(struct run *run, struct objects *o)
{
	const struct ip *client = &run->request->client;
	struct in_addr v4;
	struct in6_addr v6;
	memcpy(&v4, client->bytes, sizeof(v4));
	memcpy(&v6, client->bytes, sizeof(v6));
	if (client->family == 6)
		SPF_request_set_ipv6(o->request, v6);
	else
		SPF_request_set_ipv4(o->request, v4);
	return SPF_request_set_helo_dom(o->request, run->helo) == 0 &&
	       SPF_request_set_env_from(o->request, run->sender) == 0;
}

/* False: the library gave up. */
static bool query(struct run *run, struct objects *o)
{
	const struct spf_limits *limits = &run->request->limits;
	o->dns = (SPF_dns_server_t){ .lookup = look_up, .get_exp = get_exp, .name = "answers", .hook = run };
	o->server = SPF_server_new_dns(&o->dns, 0);
	if (o->server == NULL)
		return false;
	SPF_server_set_max_dns_mech(o->server, (int)limits->terms);
	SPF_server_set_max_dns_mx(o->server, (int)limits->mx_names);
	SPF_server_set_max_dns_ptr(o->server, (int)limits->ptr_names);
	SPF_server_set_rec_dom(o->server, run->receiver);
	o->request = SPF_request_new(o->server);
	if (o->request == NULL || !set_request(run, o))
		return false;
	SPF_request_query_mailfrom(o->request, &o->response);
	return o->response != NULL;
}

static const enum auth_result results[] = {
	[SPF_RESULT_INVALID] = AUTH_PERMERROR, [SPF_RESULT_NEUTRAL] = AUTH_NEUTRAL,
	[SPF_RESULT_PASS] = AUTH_PASS,         [SPF_RESULT_FAIL] = AUTH_FAIL,
	[SPF_RESULT_SOFTFAIL] = AUTH_SOFTFAIL, [SPF_RESULT_NONE] = AUTH_NONE,
	[SPF_RESULT_TEMPERROR] = AUTH_TEMPERROR, [SPF_RESULT_PERMERROR] = AUTH_PERMERROR,
};

static enum auth_result result_of(const SPF_response_t *response)
{
	int result = (int)response->result;
	return result >= 0 && result < (int)(sizeof(results) / sizeof(*results)) ? results[result] : AUTH_PERMERROR;
}

static struct slice first_message(struct run *run, SPF_response_t *response)
{
	if (SPF_response_messages(response) == 0)
		return slice_str(SPF_strerror(SPF_response_errcode(response)));
	return arena_copy(run->arena, slice_str(SPF_error_message(SPF_response_message(response, 0))));
}

static void explain(struct run *run, struct objects *o, struct slice *explanation_r)
{
	const struct spf_request *request = run->request;
	struct spf_macro_values values = {
		.sender = slice_str(run->sender),
		.local = request->local,
		.sender_domain = request->domain,
		.domain = request->domain,
		.client = request->client,
		.helo = request->helo,
		.receiver = request->receiver,
		.now = request->now,
	};
	if (spf_macro_uses_p(run->exp)) {
		const char *name = SPF_request_get_client_dom(o->request);
		values.validated = slice_str(name != NULL ? name : "");
	}
	spf_macro_explanation(run->arena, run->exp, &values, explanation_r);
}

static void take_outcome(struct run *run, struct objects *o, struct spf_fact *fact)
{
	fact->result = result_of(o->response);
	if (fact->result == AUTH_PERMERROR && run->record_failed)
		fact->result = AUTH_TEMPERROR;
	if (fact->result == AUTH_FAIL && run->exp.len > 0)
		explain(run, o, &fact->explanation);
	if (fact->result == AUTH_TEMPERROR || fact->result == AUTH_PERMERROR)
		fact->problem = first_message(run, o->response);
	if (fact->result == AUTH_TEMPERROR && run->failed_name != NULL)
		fact->problem = arena_printf(run->arena, "%s: no answer", run->failed_name);
}

static void permanent_error(struct spf_fact *fact, struct slice why)
{
	fact->result = AUTH_PERMERROR;
	fact->explanation = SLICE_EMPTY;
	fact->problem = why;
}

static enum step step(void *state, struct spf_outcome *outcome_r)
{
	struct run *run = state;
	struct spf_fact *fact = &outcome_r->fact;
	struct objects *o = run->objects = arena_new(run->arena, struct objects);
	jmp_buf out;
	run->missing = false;
	run->record_failed = false;
	run->asked = run->terms = run->voids = 0;
	run->host_count = 0;
	run->over = run->failed_name = NULL;
	run->problem = run->exp = SLICE_EMPTY;
	way_out = &out;
	/* What the library held when it gave up is lost: it has no way to free it. */
	if (setjmp(out) == 0 && query(run, o)) {
		if (!run->missing)
			take_outcome(run, o, fact);
		free_objects(o);
	} else {
		permanent_error(fact, SLICE("libspf2 failed"));
	}
	way_out = NULL;
	if (run->missing)
		return STEP_NEED;
	if (run->problem.len > 0)
		permanent_error(fact, run->problem);
	else if (run->over != NULL)
		permanent_error(fact, slice_str(run->over));
	outcome_r->lookups = run->terms;
	return STEP_DONE;
}

static void *begin(struct arena *arena, struct questions *qs, const struct spf_request *request)
{
	struct run *run = arena_new(arena, struct run);
	pthread_once(&handlers_once, set_handlers);
	run->arena = arena;
	run->qs = qs;
	run->request = request;
	run->mark = arena_printf(arena, "any-%lx.", (unsigned long)(uintptr_t)run);
	run->sender = arena_str(arena, spf_request_sender(arena, request));
	run->helo = arena_str(arena, request->helo);
	run->receiver = arena_str(arena, request->receiver.len > 0 ? request->receiver : SLICE("unknown"));
	return run;
}

const struct spf_engine spf_libspf2 = { "libspf2", begin, step };
