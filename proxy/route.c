#include "proxy/route.h"

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
static int fits(const struct config_backend *config, struct slice domain)
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

struct backend *route_choose(const struct session *s, const struct mailbox *recipient)
{
	struct backend *best = NULL;
	int best_fit = 0;
	for (size_t i = 0; i < s->worker->backend_count; i++) {
		struct backend *b = s->worker->backends[i];
		int fit = route_has(s, b) ? fits(backend_config(b), recipient->domain) : 0;
		bool better = fit > best_fit || (fit > 0 && fit == best_fit &&
			      backend_config(b)->priority < backend_config(best)->priority);
		if (better) {
			best = b;
			best_fit = fit;
		}
	}
	return best;
}
