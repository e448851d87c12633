#include "base/psl.h"

#include <libpsl.h>

#define NAME_MAX_TEXT 254 /* RFC 1035 2.3.4, as text with its NUL */

static psl_ctx_t *loaded; /* NULL: libpsl's own list */

bool psl_load(const char *path)
{
	psl_ctx_t *newer = path ? psl_load_file(path) : psl_latest(NULL);
	if (newer == NULL)
		return false;
	psl_free(loaded);
	loaded = newer;
	return true;
}

static const psl_ctx_t *list(void)
{
	return loaded ? loaded : psl_builtin();
}

static bool to_text(struct slice domain, char name[NAME_MAX_TEXT])
{
	if (domain.len == 0 || domain.len >= NAME_MAX_TEXT || domain.data[0] == '.' ||
	    slice_chr(domain, '\0') != SLICE_NPOS)
		return false;
	memcpy(name, domain.data, domain.len);
	name[domain.len] = '\0';
	return true;
}

bool psl_organisational(struct slice domain, struct slice *organisational_r)
{
	char name[NAME_MAX_TEXT];
	const char *found = to_text(domain, name) ? psl_registrable_domain(list(), name) : NULL;
	if (found == NULL)
		return false;
	*organisational_r = slice_from(domain, (size_t)(found - name));
	return true;
}

struct slice psl_organisational_or_self(struct slice domain)
{
	struct slice organisational;
	return psl_organisational(domain, &organisational) ? organisational : domain;
}

bool psl_is_registry(struct slice domain)
{
	char name[NAME_MAX_TEXT];
	return to_text(domain, name) &&
	       psl_is_public_suffix2(list(), name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) == 1;
}
