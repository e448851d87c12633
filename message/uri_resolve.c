/* RFC 3986 5.2, with what mail readers make of references that have no scheme. */
#include "message/uri.h"

struct parts {
	struct slice scheme, authority, path, query, fragment;
	bool has_scheme, has_authority, has_query, has_fragment;
};

/* Up to one of stops, which stays in *rest. */
static struct slice take_until(struct slice *rest, const char *stops)
{
	size_t i = 0;
	while (i < rest->len && (rest->data[i] == '\0' || strchr(stops, rest->data[i]) == NULL))
		i++;
	struct slice taken = slice_head(*rest, i);
	*rest = slice_from(*rest, i);
	return taken;
}

static struct parts parse(struct slice s)
{
	struct parts p = { .has_scheme = false };
	struct slice rest = s, scheme = take_until(&rest, ":/?#");
	if (scheme.len > 0 && rest.len > 0 && rest.data[0] == ':') {
		p.scheme = scheme;
		p.has_scheme = true;
		s = slice_from(rest, 1);
	}
	rest = s;
	if (slice_starts(rest, SLICE("//"))) {
		rest = slice_from(rest, 2);
		p.authority = take_until(&rest, "/?#");
		p.has_authority = true;
	}
	p.path = take_until(&rest, "?#");
	if (rest.len > 0 && rest.data[0] == '?') {
		rest = slice_from(rest, 1);
		p.query = take_until(&rest, "#");
		p.has_query = true;
	}
	if (rest.len > 0) {
		p.fragment = slice_from(rest, 1);
		p.has_fragment = true;
	}
	return p;
}

/* RFC 3986 5.2.4. */
static struct slice remove_dots(struct arena *arena, struct slice path)
{
	if (slice_find(path, SLICE("/.")) == SLICE_NPOS && !slice_starts(path, SLICE(".")))
		return path;
	char *out = arena_alloc(arena, path.len + 1);
	size_t len = 0;
	if (slice_starts(path, SLICE("./")))
		path = slice_from(path, 1);
	else if (slice_starts(path, SLICE("../")))
		path = slice_from(path, 2);
	while (path.len > 0) {
		size_t next = slice_chr(slice_from(path, 1), '/');
		struct slice segment = slice_head(path, next == SLICE_NPOS ? path.len : next + 1);
		path = slice_from(path, segment.len);
		bool up = slice_eq(segment, SLICE("/.."));
		if (up || slice_eq(segment, SLICE("/."))) {
			while (up && len > 0 && out[--len] != '/')
				;
			if (path.len == 0)
				out[len++] = '/';
			continue;
		}
		memcpy(out + len, segment.data, segment.len);
		len += segment.len;
	}
	return slice_make(out, len);
}

static struct slice merge(struct arena *arena, const struct parts *base, struct slice path)
{
	if (base->has_authority && base->path.len == 0)
		return arena_printf(arena, "/%.*s", SLICE_ARG(path));
	size_t slash = slice_rchr(base->path, '/');
	struct slice folder = slice_head(base->path, slash == SLICE_NPOS ? 0 : slash + 1);
	return arena_printf(arena, "%.*s%.*s", SLICE_ARG(folder), SLICE_ARG(path));
}

static void add(struct slice *out, char *to, const char *before, struct slice s)
{
	size_t n = strlen(before);
	memcpy(to + out->len, before, n);
	if (s.len > 0)
		memcpy(to + out->len + n, s.data, s.len);
	out->len += n + s.len;
}

static struct slice compose(struct arena *arena, const struct parts *p)
{
	char *to = arena_alloc(arena, p->scheme.len + p->authority.len + p->path.len + p->query.len + p->fragment.len + 16);
	struct slice out = { to, 0 };
	if (p->scheme.len > 0) {
		add(&out, to, "", p->scheme);
		add(&out, to, ":", SLICE_EMPTY);
	} else if (p->has_authority && slice_starts_nocase(p->authority, SLICE("ftp."))) {
		add(&out, to, "ftp:", SLICE_EMPTY);
	} else if (p->has_authority && slice_starts_nocase(p->authority, SLICE("www"))) {
		add(&out, to, "http:", SLICE_EMPTY);
	}
	if (p->has_authority)
		add(&out, to, "//", p->authority);
	add(&out, to, "", p->path);
	if (p->has_query)
		add(&out, to, "?", p->query);
	if (p->has_fragment)
		add(&out, to, "#", p->fragment);
	return out;
}

struct slice uri_resolve(struct arena *arena, struct slice base_text, struct slice reference)
{
	struct parts r = parse(reference), base = parse(base_text), t = r;
	if (r.has_scheme && base.has_scheme && slice_eq(r.scheme, base.scheme))
		r.has_scheme = t.has_scheme = false;
	if (!r.has_scheme && !r.has_authority) {
		t.authority = base.authority;
		t.has_authority = base.has_authority;
		if (r.path.len == 0) {
			t.path = base.path;
			if (!r.has_query) {
				t.query = base.query;
				t.has_query = base.has_query;
			}
		} else if (r.path.data[0] != '/') {
			t.path = merge(arena, &base, r.path);
		}
	}
	if (!r.has_scheme)
		t.scheme = base.scheme;
	t.path = r.path.len > 0 || r.has_scheme || r.has_authority ? remove_dots(arena, t.path) : t.path;
	return compose(arena, &t);
}
