#include "filters/dmarc_arc.h"

#include "base/psl.h"
#include "message/authres.h"

/* The property that names the domain a method has authenticated. */
static const struct {
	const char *method, *ptype, *name;
} identifiers[] = {
	{ "dkim", "header", "d" },
	{ "dkim", "header", "i" },
	{ "spf", "smtp", "mailfrom" },
};

/* "@example.org" and "a@example.org" are example.org. */
static struct slice domain_of(struct arena *arena, struct slice value)
{
	size_t at = slice_rchr(value, '@');
	return arena_lower(arena, at == SLICE_NPOS ? value : slice_from(value, at + 1));
}

static bool has_author(struct arena *arena, const struct authres_result *r, struct slice author)
{
	struct slice from = domain_of(arena, authres_property(r, "header", "from"));
	return slice_eq(from, author);
}

static bool has_identifier(struct arena *arena, const struct authres_result *r, struct slice author)
{
	for (size_t i = 0; i < sizeof(identifiers) / sizeof(identifiers[0]); i++) {
		if (!slice_eq(r->method, slice_str(identifiers[i].method)))
			continue;
		struct slice domain =
			domain_of(arena, authres_property(r, identifiers[i].ptype, identifiers[i].name));
		if (domain.len > 0 &&
		    slice_eq(psl_organisational_or_self(domain), psl_organisational_or_self(author)))
			return true;
	}
	return false;
}

bool dmarc_arc_vouches(struct arena *arena, struct slice value, struct slice author)
{
	struct authres authres;
	bool identifier = false;
	if (!authres_parse(arena, value, &authres))
		return false;
	for (size_t i = 0; i < authres.count; i++) {
		const struct authres_result *r = &authres.results[i];
		bool pass = r->result == AUTH_PASS;
		if (slice_eq(r->method, SLICE("dmarc")))
			return pass && has_author(arena, r, author);
		if (pass && has_identifier(arena, r, author))
			identifier = true;
	}
	return identifier;
}
