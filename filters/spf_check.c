#include "filters/spf_check.h"

#include "filters/spf_macro.h"

const struct spf_limits spf_default_limits = { .terms = 10, .voids = 2, .mx_names = 10, .ptr_names = 10 };

struct spf_check {
	const struct spf_engine *engine;
	struct spf_request request;
	void *run;         /* the engine's; NULL: nothing to be checked */
	bool done;
	struct spf_outcome outcome;
};

const struct spf_engine *const spf_engines[] = { &spf_native, &spf_libspf2, NULL };

const struct spf_engine *spf_engine_find(struct slice name)
{
	for (size_t i = 0; spf_engines[i] != NULL; i++)
		if (slice_eq(name, slice_str(spf_engines[i]->name)))
			return spf_engines[i];
	return NULL;
}

static const struct slice postmaster = { "postmaster", 10 };

static struct slice without_final_dot(struct slice name)
{
	if (name.len > 1 && name.data[name.len - 1] == '.')
		name.len--;
	return name;
}

void spf_request_helo(struct spf_request *request)
{
	request->local = postmaster;
	request->domain = without_final_dot(request->helo);
	request->identity_helo = true;
}

void spf_request_mail_from(struct spf_request *request, struct slice reverse_path)
{
	size_t at = slice_rchr(reverse_path, '@');
	if (reverse_path.len == 0) {
		spf_request_helo(request);
		return;
	}
	request->local = at == SLICE_NPOS || at == 0 ? postmaster : slice_head(reverse_path, at);
	request->domain = without_final_dot(slice_from(reverse_path, at == SLICE_NPOS ? 0 : at + 1));
	request->identity_helo = false;
}

struct slice spf_request_sender(struct arena *arena, const struct spf_request *request)
{
	return arena_printf(arena, "%.*s@%.*s", SLICE_ARG(request->local), SLICE_ARG(request->domain));
}

/* RFC 7208 4.3: a name of several labels that can be asked for, no literal. */
static bool can_be_checked(struct arena *arena, struct slice domain)
{
	return slice_chr(domain, '.') != SLICE_NPOS && domain.data[0] != '[' &&
	       dns_name_ok(spf_dns_escape(arena, domain));
}

struct spf_check *spf_check_begin(struct arena *arena, struct questions *qs, const struct spf_engine *engine,
				  const struct spf_request *request)
{
	struct spf_check *check = arena_new(arena, struct spf_check);
	struct spf_fact *fact = &check->outcome.fact;
	check->engine = engine;
	check->request = *request;
	fact->domain = arena_lower(arena, request->domain);
	fact->sender = spf_request_sender(arena, request);
	fact->helo = request->identity_helo;
	if (can_be_checked(arena, request->domain)) {
		check->run = engine->begin(arena, qs, &check->request);
		return check;
	}
	fact->result = AUTH_NONE;
	fact->problem = SLICE("no domain that could have a record");
	check->done = true;
	return check;
}

enum step spf_check_step(struct spf_check *check)
{
	if (!check->done)
		check->done = check->engine->step(check->run, &check->outcome) == STEP_DONE;
	return check->done ? STEP_DONE : STEP_NEED;
}

const struct spf_outcome *spf_check_outcome(const struct spf_check *check)
{
	return &check->outcome;
}
