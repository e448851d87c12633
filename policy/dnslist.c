#include "policy/dnslist.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "policy/config_tables.h"

#define KNOWN_CODES 6
#define USUAL_SCORE 2

/* Scores are moderate: no list alone refuses at the default threshold. */
static const struct known {
	const char *title, *zone;
	enum dnslist_type type;
	const char *codes[KNOWN_CODES];
	const char *test;    /* NULL: as RFC 5782 5 has it */
} known[] = {
	{ "spamhaus-zen", "zen.spamhaus.org", DNSLIST_CLIENT,
	  { "127.0.0.2/31=4", "127.0.0.4/30=4", "127.0.0.9=6", "127.0.0.10/31=3" }, NULL },
	{ "spamhaus-dbl", "dbl.spamhaus.org", DNSLIST_SENDER, { "127.0.1.0/24=4" }, "dbltest.com" },
	{ "surbl", "multi.surbl.org", DNSLIST_URI, { "&8=4", "&16=4", "&64=4", "&128=3" },
	  "surbl-org-permanent-test-point.com" },
	{ "uribl", "multi.uribl.com", DNSLIST_URI, { "&2=4", "&4=0.5", "&8=0.3" }, "test.uribl.com" },
	{ "spamcop", "bl.spamcop.net", DNSLIST_CLIENT, { "127.0.0.2=2" }, NULL },
	{ "barracuda", "b.barracudacentral.org", DNSLIST_CLIENT, { "127.0.0.2=2" }, NULL },
	{ "psbl", "psbl.surriel.com", DNSLIST_CLIENT, { "127.0.0.2=1.5" }, NULL },
	{ "dnswl", "list.dnswl.org", DNSLIST_CLIENT, { "&1=-1", "&2=-2" }, NULL }, /* trust 1 to 3 in the last octet */
};

/* By the section's name, or by its zone: whoever has a key asks another zone, or
 * asks the same one under two names. */
static const struct known *find_known(struct slice title, struct slice zone)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (slice_eq(title, slice_str(known[i].title)) || slice_eq_nocase(zone, slice_str(known[i].zone)))
			return &known[i];
	return NULL;
}

/* "127.0.0.2=3", "127.0.0.4/30=4", "&4=1.5" */
static bool read_code(struct slice text, struct dnslist_code *code_r)
{
	char number[32], *end;
	uint64_t mask;
	size_t eq = slice_chr(text, '=');
	struct slice key = slice_trim(slice_head(text, eq == SLICE_NPOS ? 0 : eq));
	struct slice value = slice_trim(slice_from(text, eq == SLICE_NPOS ? text.len : eq + 1));
	*code_r = (struct dnslist_code){ 0 };
	if (key.len == 0 || value.len == 0 || value.len >= sizeof(number))
		return false;
	memcpy(number, value.data, value.len);
	number[value.len] = '\0';
	code_r->score = strtod(number, &end);
	if (*end != '\0' || !isfinite(code_r->score) || fabs(code_r->score) > 1000)
		return false;
	if (key.data[0] != '&')
		return cidr_parse(key, &code_r->net) && code_r->net.ip.family == 4;
	if (!slice_u64(slice_from(key, 1), 255, &mask) || mask == 0)
		return false;
	code_r->mask = (uint8_t)mask;
	return true;
}

static const char *make_symbol(struct arena *arena, struct slice title)
{
	char *s = arena_alloc(arena, title.len + sizeof("DNSBL_"));
	memcpy(s, "DNSBL_", 6);
	for (size_t i = 0; i < title.len; i++)
		s[6 + i] = ascii_is_alnum(title.data[i]) ? ascii_upper(title.data[i]) : '_';
	return s;
}

struct making {
	struct config *config;
	const void *written;
	struct config_errors *errors;
};

static void fail(struct making *m, const char *key, const char *what, struct slice value)
{
	config_error_at(m->config, m->written, key, m->errors, "'%.*s' %s", SLICE_ARG(value), what);
}

static void add_code(struct making *m, struct dnslist *list, struct slice text)
{
	if (read_code(text, &list->codes[list->code_count]))
		list->code_count++;
	else
		fail(m, "codes", "is not ADDRESS=SCORE, NETWORK=SCORE or &BITS=SCORE", text);
}

/* What is not written, of a list whose ways are known. */
static void fill_known(struct making *m, const struct config_dnslist *section, struct dnslist *list)
{
	const struct known *k = find_known(section->title, list->zone);
	if (k == NULL)
		return;
	if (list->zone.len == 0)
		list->zone = slice_str(k->zone);
	if (list->test.len == 0)
		list->test = slice_str(k->test);
	if (list->type == DNSLIST_CLIENT)
		list->type = k->type;
	for (size_t i = 0; section->codes.count == 0 && i < KNOWN_CODES && k->codes[i] != NULL; i++)
		add_code(m, list, slice_str(k->codes[i]));
	list->flat = section->codes.count == 0 && section->score > DNSLIST_SCORE_USUAL;
}

static void make(struct making *m, const struct config_dnslist *section, struct dnslist *list)
{
	struct arena *arena = m->config->arena;
	list->title = section->title;
	list->symbol = make_symbol(arena, section->title);
	list->type = (enum dnslist_type)section->type;
	list->score = section->score > DNSLIST_SCORE_USUAL ? section->score : USUAL_SCORE;
	list->shadow = section->shadow;
	list->probe = section->probe;
	list->test = section->test_entry.count > 0 ? section->test_entry.items[0] : SLICE_EMPTY;
	list->zone = section->zone.count > 0 ? section->zone.items[0] : SLICE_EMPTY;
	list->codes = arena_array(arena, struct dnslist_code, section->codes.count + KNOWN_CODES);
	fill_known(m, section, list);
	if (list->zone.len == 0 || section->zone.count > 1 || list->zone.data[0] == '.')
		fail(m, "zone", "is no list known by name: it needs one zone", section->title);
	for (size_t i = 0; i < section->codes.count; i++)
		add_code(m, list, section->codes.items[i]);
}

void dnslists_make(struct config *config, struct config_errors *errors)
{
	const struct section_values *v;
	size_t at = 0, n = 0;
	while (settings_next(config->file, &config_dnslist_section, &at) != NULL)
		n++;
	struct dnslist *lists = arena_array(config->arena, struct dnslist, n);
	for (at = n = 0; (v = settings_next(config->file, &config_dnslist_section, &at)) != NULL;) {
		struct making m = { config, v->values, errors };
		const struct config_dnslist *section = v->values;
		if (section->enabled)
			make(&m, section, &lists[n++]);
	}
	config->dnslists = lists;
	config->dnslist_count = n;
}

/* What a record says whatever the list: LISTED means that it is one of its codes. */
static enum dnslist_answer kind_of(struct slice record)
{
	const uint8_t *b = (const uint8_t *)record.data;
	if (record.len != 4 || b[0] != 127)
		return DNSLIST_BROKEN;
	if (b[1] == 255 && b[2] == 255)
		return DNSLIST_REFUSED;  /* Spamhaus: 127.255.255.252 to .255 */
	if (b[1] == 0 && b[2] <= 1 && b[3] == 255)
		return DNSLIST_REFUSED;  /* dnswl.org; Spamhaus DBL, asked for an address */
	if (b[1] == 0 && b[2] == 0 && b[3] <= 1)
		return b[3] == 1 ? DNSLIST_BROKEN : DNSLIST_LISTED;
	return DNSLIST_LISTED;
}

static bool matches(const struct dnslist_code *code, struct slice record)
{
	struct ip ip = { .family = 4 };
	memcpy(ip.bytes, record.data, 4);
	return code->mask != 0 ? (ip.bytes[3] & code->mask) != 0 : cidr_has(&code->net, &ip);
}

enum dnslist_answer dnslist_judge(const struct dnslist *list, const struct slice *records, size_t count,
				  double *score_r)
{
	enum dnslist_answer worst = DNSLIST_NOT_LISTED;
	bool listed = list->code_count == 0 && count > 0;
	*score_r = listed ? list->score : 0;
	for (size_t i = 0; i < count; i++) {
		enum dnslist_answer kind = kind_of(records[i]);
		if (kind != DNSLIST_LISTED)
			worst = kind;
	}
	if (worst != DNSLIST_NOT_LISTED)
		return worst;
	for (size_t c = 0; c < list->code_count; c++)
		for (size_t i = 0; i < count; i++)
			if (matches(&list->codes[c], records[i])) {
				*score_r += list->codes[c].score;
				listed = true;
				break;
			}
	if (listed && list->flat)
		*score_r = list->score;
	return listed ? DNSLIST_LISTED : DNSLIST_NOT_LISTED;
}
