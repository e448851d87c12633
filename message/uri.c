#include "message/uri.h"

#include "base/cidr.h"
#include "base/idn.h"
#include "base/psl.h"
#include "message/uri_list.h"

#define DEFAULT_URIS 5000u
#define DEFAULT_LENGTH 8192u
#define MAX_PER_URI 64u      /* tags, anchors, hosts kept of one URI */
#define MAX_ANCHOR 1024u

void uris_init(struct uris *uris, struct arena *arena, const struct uri_limits *limits)
{
	*uris = (struct uris){ .arena = arena };
	if (limits != NULL)
		uris->limits = *limits;
	if (uris->limits.uris == 0)
		uris->limits.uris = DEFAULT_URIS;
	if (uris->limits.length == 0)
		uris->limits.length = DEFAULT_LENGTH;
}

/* Hosts. */

static bool valid_label(struct slice label, bool underscore)
{
	if (label.len == 0 || label.len > 63 || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-' && !(underscore && label.data[i] == '_'))
			return false;
	return true;
}

bool uri_valid_host(struct slice host)
{
	size_t labels = 1, seen = 0;
	while (host.len > 0 && host.data[host.len - 1] == '.')
		host.len--;
	for (size_t i = 0; i < host.len; i++)
		labels += host.data[i] == '.';
	if (labels < 2 || host.len > 253)
		return false;
	struct slice rest = host, label;
	while (slice_split(&rest, '.', &label))
		if (!valid_label(label, ++seen + 2 <= labels))
			return false;
	return true;
}

static struct slice strip_from(struct slice s, const char *stops)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != '\0' && strchr(stops, s.data[i]) != NULL)
			return slice_head(s, i);
	return s;
}

/* The place where a host stands in a URI, as written; empty: it has none. */
static struct slice authority_host(struct slice uri)
{
	static const struct slice hostless[] = {
		{ "javascript:", 11 }, { "cid:", 4 }, { "file:", 5 }, { "data:", 5 }, { "tel:", 4 },
	};
	for (size_t i = 0; i < sizeof(hostless) / sizeof(*hostless); i++)
		if (slice_starts_nocase(uri, hostless[i]))
			return SLICE_EMPTY;
	if (slice_starts_nocase(uri, SLICE("mailto:"))) {
		uri = strip_from(slice_from(uri, 7), "?");
		size_t at = slice_chr(uri, '@');
		bool one = at != SLICE_NPOS && slice_rchr(uri, '@') == at;
		return one ? slice_from(uri, at + 1) : SLICE_EMPTY;
	}
	size_t i = 0;
	while (i < uri.len && ascii_is_alpha(uri.data[i]))
		i++;
	if (i > 0 && i < uri.len && uri.data[i] == ':') {
		uri = slice_from(uri, i + 1);
		for (int k = 0; k < 2 && uri.len > 0 && uri.data[0] == '/'; k++)
			uri = slice_from(uri, 1);
	}
	uri = strip_from(uri, "/?#");
	size_t at = slice_rchr(uri, '@');
	if (at != SLICE_NPOS)
		uri = slice_from(uri, at + 1);
	size_t colon = slice_rchr(uri, ':');
	uint64_t port;
	bool ported = colon != SLICE_NPOS && (colon + 1 == uri.len || slice_u64(slice_from(uri, colon + 1), 99999,
		&port));
	return ported ? slice_head(uri, colon) : uri;
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

bool uri_host(struct arena *arena, struct slice uri, struct uri_host *host_r)
{
	struct slice host = authority_host(uri), domain;
	struct ip ip;
	char text[IP_TEXT_MAX];
	if (host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = slice_sub(host, 1, host.len - 2);
	if (ip_parse(host, &ip)) {
		host_r->host = host_r->domain = arena_copy(arena, slice_str(ip_text(&ip, text)));
		return true;
	}
	if (host.len == 0 || host.len > 1024)
		return false;
	if (!is_ascii(host)) {
		if (!idn_domain(arena, host, &domain))
			return false;
		host = domain;
	} else {
		host = arena_lower(arena, host);
	}
	while (host.len > 0 && host.data[host.len - 1] == '.')
		host.len--;
	size_t dot = slice_rchr(host, '.');
	if (!uri_valid_host(host) || !uri_known_tld(slice_from(host, dot + 1)))
		return false;
	host_r->host = host;
	host_r->domain = psl_organisational_or_self(host);
	return true;
}

/* The list. */

static void grow_index(struct uris *uris)
{
	size_t size = uris->index_size ? uris->index_size * 2 : 64;
	size_t *index = arena_array(uris->arena, size_t, size);
	for (size_t i = 0; i < uris->count; i++) {
		size_t slot = slice_hash(uris->list[i].raw) & (size - 1);
		while (index[slot] != 0)
			slot = (slot + 1) & (size - 1);
		index[slot] = i + 1;
	}
	uris->index = index;
	uris->index_size = size;
}

/* The entry of that raw form; *slot_r: where it would stand in the index. */
static struct uri *find_uri(struct uris *uris, struct slice raw, size_t *slot_r)
{
	if ((uris->count + 1) * 2 > uris->index_size)
		grow_index(uris);
	size_t slot = slice_hash(raw) & (uris->index_size - 1);
	while (uris->index[slot] != 0) {
		struct uri *uri = &uris->list[uris->index[slot] - 1];
		if (slice_eq(uri->raw, raw))
			return uri;
		slot = (slot + 1) & (uris->index_size - 1);
	}
	*slot_r = slot;
	return NULL;
}

static void add_host(struct uris *uris, struct uri *uri, const struct uri_host *host)
{
	for (size_t i = 0; i < uri->host_count; i++)
		if (slice_eq(uri->hosts[i].host, host->host))
			return;
	if (uri->host_count == MAX_PER_URI)
		return;
	if (uri->hosts == NULL)
		uri->hosts = arena_array(uris->arena, struct uri_host, uri->cleaned_count);
	uri->hosts[uri->host_count++] = *host;
}

static struct uri *push_uri(struct uris *uris, const struct uri *uri, size_t slot)
{
	if (uris->count == uris->cap) {
		size_t cap = uris->cap ? uris->cap * 2 : 16;
		struct uri *more = arena_array(uris->arena, struct uri, cap);
		if (uris->count > 0)
			memcpy(more, uris->list, uris->count * sizeof(*more));
		uris->list = more;
		uris->cap = cap;
	}
	uris->list[uris->count++] = *uri;
	uris->index[slot] = uris->count;
	return &uris->list[uris->count - 1];
}

static struct uri *make_uri(struct uris *uris, const struct uri_finding *f, size_t slot)
{
	struct uri uri = { .raw = f->uri };
	uri.cleaned_count = uri_clean(uris->arena, f->uri, &uris->limits, &uri.cleaned);
	for (size_t i = 0; i < uri.cleaned_count; i++) {
		struct uri_host host;
		if (uri_host(uris->arena, uri.cleaned[i], &host))
			add_host(uris, &uri, &host);
	}
	if (f->must_host && uri.host_count == 0)
		return NULL;
	return push_uri(uris, &uri, slot);
}

static void add_tag(struct uris *uris, struct uri *uri, const char *tag)
{
	for (size_t i = 0; i < uri->tag_count; i++)
		if (strcmp(uri->tags[i], tag) == 0)
			return;
	const char **more = arena_array(uris->arena, const char *, uri->tag_count + 1);
	if (uri->tag_count > 0)
		memcpy(more, uri->tags, uri->tag_count * sizeof(*more));
	more[uri->tag_count++] = tag;
	uri->tags = more;
}

static void add_anchor(struct uris *uris, struct uri *uri, struct slice anchor)
{
	anchor = slice_head(anchor, MAX_ANCHOR);
	for (size_t i = 0; i < uri->anchor_count; i++)
		if (slice_eq(uri->anchors[i], anchor))
			return;
	if (uri->anchor_count == MAX_PER_URI)
		return;
	struct slice *more = arena_array(uris->arena, struct slice, uri->anchor_count + 1);
	if (uri->anchor_count > 0)
		memcpy(more, uri->anchors, uri->anchor_count * sizeof(*more));
	more[uri->anchor_count++] = anchor;
	uri->anchors = more;
}

void uris_add(struct uris *uris, const struct uri_finding *finding)
{
	struct uri_finding f = *finding;
	size_t slot = 0;
	if (f.uri.len > uris->limits.length)
		uris->cut = true;
	f.uri = slice_head(f.uri, uris->limits.length);
	struct uri *uri = find_uri(uris, f.uri, &slot);
	if (uri == NULL && uris->count == uris->limits.uris) {
		uris->cut = true;
		return;
	}
	bool fresh = uri == NULL;
	if (fresh)
		uri = make_uri(uris, &f, slot);
	if (uri == NULL)
		return;
	bool was_hidden = fresh || (uri->types & URI_HIDDEN);
	uri->types |= f.types;
	uri->types &= ~(unsigned)URI_HIDDEN;
	if (f.hidden && was_hidden)
		uri->types |= URI_HIDDEN;
	if (f.tag != NULL && uri->tag_count < MAX_PER_URI)
		add_tag(uris, uri, f.tag);
	if (f.anchor.data != NULL)
		add_anchor(uris, uri, f.anchor);
}

void uris_from_dkim(struct uris *uris, struct slice value)
{
	struct slice rest = value, tag;
	while (rest.data != NULL && slice_split(&rest, ';', &tag)) {
		size_t eq = slice_chr(tag, '='), slot;
		struct uri_host host;
		if (eq == SLICE_NPOS || !slice_eq(slice_trim(slice_head(tag, eq)), SLICE("d")))
			continue;
		struct uri uri = { .types = URI_DKIM };
		uri.raw = arena_printf(uris->arena, "domainkeys:%.*s", SLICE_ARG(slice_trim(slice_from(tag, eq + 1))));
		if (uris->count == uris->limits.uris || find_uri(uris, uri.raw, &slot) != NULL ||
		    !uri_host(uris->arena, slice_from(uri.raw, 11), &host))
			continue;
		uri.hosts = arena_array(uris->arena, struct uri_host, 1);
		uri.hosts[uri.host_count++] = host;
		push_uri(uris, &uri, slot);
	}
}

static const struct {
	const char *tag;
	enum uri_type type;
} tag_types[] = {
	{ "a", URI_A }, { "area", URI_A }, { "img", URI_IMG }, { "form", URI_FORM }, { "button", URI_FORM },
	{ "input", URI_FORM }, { "link", URI_LINK }, { "frame", URI_FRAME }, { "iframe", URI_FRAME },
	{ "script", URI_SCRIPT }, { "base", URI_BASE }, { "meta", URI_META }, { "body", URI_BACKGROUND },
	{ "table", URI_BACKGROUND }, { "tr", URI_BACKGROUND }, { "td", URI_BACKGROUND }, { "style", URI_BACKGROUND },
};

void uris_from_html(struct uris *uris, struct slice uri, const char *tag, struct slice anchor, bool hidden)
{
	struct uri_finding f = { .uri = uri, .tag = tag, .anchor = anchor, .hidden = hidden };
	f.types = tag ? URI_OBJECT : 0;
	for (size_t i = 0; tag != NULL && i < sizeof(tag_types) / sizeof(*tag_types); i++)
		if (strcmp(tag, tag_types[i].tag) == 0)
			f.types = tag_types[i].type;
	uris_add(uris, &f);
}
