#include "proxy/route.h"

#include <stdlib.h>

bool route_has(const struct session *s, const struct backend *backend)
{
	const struct slice_list *titles = &s->listen->backends;
	if (titles->count == 0)
		return true;
	for (size_t i = 0; i < titles->count; i++)
		if (slice_eq(titles->items[i], backend_config(backend)->title))
			return true;
	return false;
}

/* 2: its domains name it; 1: it takes everything; 0: not this one. */
static int fits_domain(const struct config_backend *config, struct slice domain)
{
	if (config->domains.count == 0)
		return 1;
	for (size_t i = 0; i < config->domains.count; i++) {
		struct slice d = config->domains.items[i];
		bool below = d.len > 0 && d.data[0] == '.';
		if (below ? slice_ends(domain, d) : slice_eq(domain, d))
			return 2;
	}
	return 0;
}

/* 4: its users name the login; 3: the end of it; 2: whoever has one; 1: it is
 * for everybody; 0: not this one. */
static int fits_user(const struct config_backend *config, struct slice login)
{
	int fit = config->users.count == 0 ? 1 : 0;
	for (size_t i = 0; login.len > 0 && i < config->users.count; i++) {
		struct slice u = config->users.items[i];
		int one = slice_eq(u, SLICE("*")) ? 2 : slice_eq_nocase(u, login) ? 4 :
			  u.len > 1 && u.data[0] == '@' && slice_ends_nocase(login, u) ? 3 : 0;
		fit = one > fit ? one : fit;
	}
	return fit;
}

#define USERS 4 /* from here on the login decided */

static int fits(const struct config_backend *config, const struct route_target *target)
{
	int user = fits_user(config, target->login), domain = fits_domain(config, target->domain);
	return user > 0 && domain > 0 ? (user - 1) * USERS + domain : 0;
}

static int best_fit(const struct route_candidate *list, size_t count, const struct route_target *target)
{
	int best = 0;
	for (size_t i = 0; i < count; i++) {
		int fit = fits(list[i].config, target);
		best = fit > best ? fit : best;
	}
	return best;
}

static bool before(const struct route_candidate *a, const struct route_candidate *b)
{
	if (a->healthy != b->healthy)
		return a->healthy;
	return a->config->priority < b->config->priority;
}

int route_pick(const struct route_candidate *list, size_t count, const struct route_target *target,
	       uint32_t random)
{
	int fit = best_fit(list, count, target), best = -1;
	uint64_t total = 0;
	for (size_t i = 0; fit > 0 && i < count; i++)
		if (fits(list[i].config, target) == fit && (best < 0 || before(&list[i], &list[best])))
			best = (int)i;
	if (best < 0)
		return -1;
	const struct route_candidate *first = &list[best];
	for (int pass = 0; pass < 2; pass++) {
		uint64_t at = pass > 0 ? random % total : 0;
		for (size_t i = 0; i < count; i++) {
			if (fits(list[i].config, target) != fit || before(first, &list[i]))
				continue;
			uint64_t weight = (uint64_t)list[i].config->weight;
			if (pass == 0)
				total += weight;
			else if (at < weight)
				return (int)i;
			else
				at -= weight;
		}
	}
	return best;
}

/* The listener's backends; *from_r: where each stands among the worker's. */
static size_t candidates(const struct session *s, struct route_candidate *list, size_t *from_r)
{
	size_t count = 0;
	for (size_t i = 0; i < s->worker->backend_count; i++) {
		const struct backend *b = s->worker->backends[i];
		if (!route_has(s, b))
			continue;
		list[count] = (struct route_candidate){ backend_config(b), backend_healthy(b) };
		from_r[count++] = i;
	}
	return count;
}

static struct route_target target_of(const struct session *s, const struct mailbox *recipient)
{
	return (struct route_target){ recipient->domain, s->client.login };
}

/* The login is not named by any: who has authenticated stays with whom knows him. */
static bool stays(const struct session *s, const struct route_candidate *list, size_t count,
		  const struct route_target *target)
{
	return s->home.authenticated && best_fit(list, count, target) <= USERS;
}

struct backend *route_choose(const struct session *s, const struct mailbox *recipient)
{
	size_t most = s->worker->backend_count;
	const struct route_target target = target_of(s, recipient);
	struct route_candidate *list = xcalloc(most + 1, sizeof(*list));
	size_t *from = xcalloc(most + 1, sizeof(*from));
	size_t count = candidates(s, list, from);
	int at = route_pick(list, count, &target, count > 1 ? arc4random() : 0);
	struct backend *b = at < 0 ? NULL : s->worker->backends[from[at]];
	if (stays(s, list, count, &target))
		b = s->home.backend;
	free(list);
	free(from);
	return b;
}

bool route_takes(const struct session *s, const struct backend *backend, const struct mailbox *recipient)
{
	size_t most = s->worker->backend_count;
	const struct route_target target = target_of(s, recipient);
	struct route_candidate *list = xcalloc(most + 1, sizeof(*list));
	size_t *from = xcalloc(most + 1, sizeof(*from));
	size_t count = candidates(s, list, from);
	int fit = fits(backend_config(backend), &target);
	bool takes = stays(s, list, count, &target) ? backend == s->home.backend :
						      fit > 0 && fit == best_fit(list, count, &target);
	free(list);
	free(from);
	return takes;
}
