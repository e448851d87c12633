#include "policy/lists.h"

#include <errno.h>

#include "base/file.h"
#include "message/address.h"
#include "policy/config_tables.h"

#define KEY_MAX 36 /* family, bits, address, each octet spelled as two letters */

struct list {
	struct arena *arena;
	enum list_type type;
	struct slice *keys;     /* in order of their coming */
	struct slice *texts;    /* networks: as written */
	size_t count, cap;
	uint32_t *slots;        /* index + 1 into keys; 0: free */
	size_t slot_count;      /* a power of two, at least twice cap */
	bool bits4[33], bits6[129]; /* prefix lengths there are */
};

static void make_slots(struct list *l)
{
	size_t n = 16;
	while (n < l->cap * 2)
		n *= 2;
	l->slots = arena_array(l->arena, uint32_t, n);
	l->slot_count = n;
}

struct list *list_create(struct arena *arena, enum list_type type, size_t expected)
{
	struct list *l = arena_new(arena, struct list);
	l->arena = arena;
	l->type = type;
	l->cap = expected > 8 ? expected : 8;
	l->keys = arena_array(arena, struct slice, l->cap);
	l->texts = type == LIST_NETWORKS ? arena_array(arena, struct slice, l->cap) : l->keys;
	make_slots(l);
	return l;
}

size_t list_count(const struct list *list)
{
	return list->count;
}

/* The slot of a key, or the free one where it belongs. */
static uint32_t *slot_of(const struct list *l, struct slice key)
{
	size_t at = slice_hash_nocase(key) & (l->slot_count - 1);
	while (l->slots[at] != 0 && !slice_eq_nocase(l->keys[l->slots[at] - 1], key))
		at = (at + 1) & (l->slot_count - 1);
	return &l->slots[at];
}

static void grow(struct list *l)
{
	size_t cap = l->cap * 2;
	struct slice *keys = arena_array(l->arena, struct slice, cap), *texts = keys;
	memcpy(keys, l->keys, l->count * sizeof(*keys));
	if (l->texts != l->keys) {
		texts = arena_array(l->arena, struct slice, cap);
		memcpy(texts, l->texts, l->count * sizeof(*texts));
	}
	l->keys = keys;
	l->texts = texts;
	l->cap = cap;
	make_slots(l);
	for (size_t i = 0; i < l->count; i++)
		*slot_of(l, keys[i]) = (uint32_t)i + 1;
}

static void insert(struct list *l, struct slice key, struct slice text)
{
	if (l->count == l->cap)
		grow(l);
	uint32_t *slot = slot_of(l, key);
	if (*slot != 0)
		return;
	l->keys[l->count] = key;
	l->texts[l->count] = text;
	*slot = (uint32_t)++l->count;
}

/* ---- networks */

/* The table compares without case: an octet is spelled as two letters. */
static struct slice network_key(const struct cidr *net, char key[KEY_MAX])
{
	struct slice bytes = ip_slice(&net->ip);
	char raw[18] = { (char)net->ip.family, (char)net->bits };
	memcpy(raw + 2, bytes.data, bytes.len);
	for (size_t i = 0; i < bytes.len + 2; i++) {
		key[2 * i] = (char)('a' + ((unsigned char)raw[i] >> 4));
		key[2 * i + 1] = (char)('a' + ((unsigned char)raw[i] & 15));
	}
	return slice_make(key, 2 * bytes.len + 4);
}

static bool add_network(struct list *l, struct slice entry)
{
	struct cidr net;
	char key[KEY_MAX];
	if (!cidr_parse(entry, &net))
		return false;
	if (net.ip.family == 4)
		l->bits4[net.bits] = true;
	else
		l->bits6[net.bits] = true;
	insert(l, arena_copy(l->arena, network_key(&net, key)), entry);
	return true;
}

bool list_has_client(const struct list *l, const struct ip *ip, struct slice *entry_r)
{
	char key[KEY_MAX];
	if (l->type != LIST_NETWORKS || ip->family == 0)
		return false;
	for (int bits = ip->family == 4 ? 32 : 128; bits >= 0; bits--) {
		if (!(ip->family == 4 ? l->bits4[bits] : l->bits6[bits]))
			continue;
		struct cidr net = cidr_of(ip, (unsigned)bits);
		uint32_t at = *slot_of(l, network_key(&net, key));
		if (at != 0) {
			*entry_r = l->texts[at - 1];
			return true;
		}
	}
	return false;
}

/* ---- domains, addresses */

/* ".x" for "*.x"; false: no domain name. */
static bool domain_entry(struct list *l, struct slice entry, struct slice *key_r)
{
	bool below = slice_starts(entry, SLICE("*.")) || slice_starts(entry, SLICE("."));
	struct slice name = slice_from(entry, below ? slice_chr(entry, '.') + 1 : 0), domain;
	if (address_domain(l->arena, name, ADDRESS_UTF8 | ADDRESS_LAX, &domain) != ADDRESS_OK)
		return false;
	*key_r = below ? arena_printf(l->arena, ".%.*s", SLICE_ARG(domain)) : domain;
	return true;
}

static bool add_address(struct list *l, struct slice entry)
{
	struct mailbox m;
	if (slice_eq(entry, SLICE("<>"))) {
		insert(l, entry, entry);
		return true;
	}
	if (address_parse(l->arena, entry, ADDRESS_UTF8 | ADDRESS_LAX, &m) != ADDRESS_OK)
		return false;
	struct slice key = arena_printf(l->arena, "%.*s@%.*s", SLICE_ARG(m.local), SLICE_ARG(m.domain));
	insert(l, key, key);
	return true;
}

bool list_add(struct list *l, struct slice entry)
{
	struct slice key;
	if (entry.len == 0)
		return false;
	switch (l->type) {
	case LIST_NETWORKS:
		return add_network(l, entry);
	case LIST_ADDRESSES:
		return add_address(l, entry);
	case LIST_DOMAINS:
		if (!domain_entry(l, entry, &key))
			return false;
		insert(l, key, key);
		return true;
	case LIST_PATTERNS:
		insert(l, entry, entry);
		return true;
	}
	return false;
}

static bool has(const struct list *l, struct slice key, struct slice *entry_r)
{
	uint32_t at = *slot_of(l, key);
	if (at != 0)
		*entry_r = l->keys[at - 1];
	return at != 0;
}

bool list_has_domain(const struct list *l, struct slice domain, struct slice *entry_r)
{
	if (l->type != LIST_DOMAINS || domain.len == 0)
		return false;
	if (has(l, domain, entry_r))
		return true;
	for (size_t i = 1; i < domain.len; i++)
		if (domain.data[i] == '.' && has(l, slice_from(domain, i), entry_r))
			return true;
	return false;
}

#define ADDRESS_MAX 600 /* over what address_parse takes */

bool list_has_sender(const struct list *l, const struct mailbox *sender, struct slice *entry_r)
{
	char text[ADDRESS_MAX];
	struct slice key = SLICE("<>");
	if (l->type != LIST_ADDRESSES && l->type != LIST_PATTERNS)
		return false;
	if (sender->text.len > 0) {
		if (sender->local.len + sender->domain.len + 1 > sizeof(text))
			return false;
		memcpy(text, sender->local.data, sender->local.len);
		text[sender->local.len] = '@';
		memcpy(text + sender->local.len + 1, sender->domain.data, sender->domain.len);
		key = slice_make(text, sender->local.len + 1 + sender->domain.len);
	}
	if (l->type == LIST_ADDRESSES)
		return has(l, key, entry_r);
	for (size_t i = 0; i < l->count; i++)
		if (slice_glob(l->keys[i], key)) {
			*entry_r = l->keys[i];
			return true;
		}
	return false;
}

/* ---- files */

#define FILE_MAX (256u << 20)

static size_t count_lines(struct slice text)
{
	size_t n = 1;
	for (const char *at = text.data; at != NULL && n < UINT32_MAX / 4; n++) {
		at = memchr(at, '\n', text.len - (size_t)(at - text.data));
		if (at != NULL)
			at++;
	}
	return n;
}

static const char *const kinds[] = {
	[LIST_NETWORKS] = "a network (192.0.2.0/24, host bits zero)", [LIST_ADDRESSES] = "an address (user@example.org)",
	[LIST_DOMAINS] = "a domain", [LIST_PATTERNS] = "a pattern",
};

static void add_lines(struct list *list, struct slice path, struct slice text, struct config_errors *errors)
{
	struct slice line, rest = text;
	for (unsigned n = 1; rest.data != NULL && slice_split(&rest, '\n', &line); n++) {
		line = slice_trim(slice_head(line, slice_chr(line, '#')));
		if (line.len > 0 && !list_add(list, line))
			config_error_add(errors, path, n, "'%.*s' is not %s", SLICE_ARG(slice_head(line, 200)),
					 kinds[list->type]);
	}
}

static void load(struct config *config, struct config_list *section, const void *written,
		 struct config_errors *errors)
{
	struct slice text = SLICE_EMPTY;
	if (section->file.len > 0 && !file_read(config->arena, section->file.data, FILE_MAX, &text)) {
		config_error_at(config, written, "file", errors, "%.*s: %s", SLICE_ARG(section->file), strerror(errno));
	}
	struct list *list = list_create(config->arena, (enum list_type)section->type,
					count_lines(text) + section->entries.count);
	add_lines(list, section->file, text, errors);
	for (size_t i = 0; i < section->entries.count; i++) {
		struct slice entry = slice_trim(section->entries.items[i]);
		if (list_add(list, entry))
			continue;
		config_error_at(config, written, "entries", errors, "'%.*s' is not %s", SLICE_ARG(entry), kinds[list->type]);
	}
	section->loaded = list;
}

void lists_load(struct config *config, struct config_errors *errors)
{
	struct config_list *lists = (struct config_list *)(uintptr_t)config->lists;
	const struct section_values *v;
	size_t at = 0;
	for (size_t i = 0; (v = settings_next(config->file, &config_list_section, &at)) != NULL; i++)
		load(config, &lists[i], v->values, errors);
}
