/* The table of rules: finding, adding, and the settings that rules read. */
#include "rules/rule.h"

#include <stdlib.h>

static const char *const type_names[RULE_TYPES] = {
	[RULE_NONE] = "none",
	[RULE_HEADER] = "header",
	[RULE_BODY] = "body",
	[RULE_RAWBODY] = "rawbody",
	[RULE_FULL] = "full",
	[RULE_URI] = "uri",
	[RULE_SKELETON] = "skeleton",
	[RULE_MIMEHEADER] = "mimeheader",
	[RULE_URI_DETAIL] = "uri_detail",
	[RULE_META] = "meta",
	[RULE_HEADER_EVAL] = "header eval",
	[RULE_BODY_EVAL] = "body eval",
	[RULE_RAWBODY_EVAL] = "rawbody eval",
	[RULE_FULL_EVAL] = "full eval",
	[RULE_URIBL] = "uribl",
	[RULE_ASKDNS] = "askdns",
};

const char *rule_type_name(enum rule_type type)
{
	return type < RULE_TYPES ? type_names[type] : "none";
}

const char *rule_status_name(enum rule_status status)
{
	static const char *const names[] = { "supported", "approximate", "unsupported" };
	return names[status];
}

struct rule_table *rule_table_create(struct arena *arena, struct config_errors *errors)
{
	struct rule_table *table = arena_new(arena, struct rule_table);
	table->arena = arena;
	table->errors = errors;
	return table;
}

struct rule *rule_table_find(const struct rule_table *table, struct slice name)
{
	uint32_t at = name_map_get(&table->names, name);
	return at == NAME_MAP_NONE ? NULL : table->list[at];
}

struct rule *rule_table_need(struct rule_table *table, struct slice name)
{
	struct rule *rule = rule_table_find(table, name);
	if (rule != NULL)
		return rule;
	if (table->count == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 64;
		struct rule **list = arena_array(table->arena, struct rule *, cap);
		if (table->count > 0)
			memcpy(list, table->list, table->count * sizeof(*list));
		table->list = list;
		table->cap = cap;
	}
	rule = arena_new(table->arena, struct rule);
	rule->name = arena_copy(table->arena, name);
	rule->index = (uint32_t)table->count;
	rule->maxhits = 0;
	table->list[table->count++] = rule;
	name_map_put(&table->names, table->arena, rule->name, rule->index);
	return rule;
}

static struct rule_settings *settings_of(struct rule_table *table, struct slice key)
{
	uint32_t at = name_map_get(&table->setting_names, key);
	if (at != NAME_MAP_NONE)
		return &table->settings[at];
	if (table->setting_count == table->setting_cap) {
		size_t cap = table->setting_cap ? table->setting_cap * 2 : 32;
		struct rule_settings *list = arena_array(table->arena, struct rule_settings, cap);
		if (table->setting_count > 0)
			memcpy(list, table->settings, table->setting_count * sizeof(*list));
		table->settings = list;
		table->setting_cap = cap;
	}
	struct rule_settings *settings = &table->settings[table->setting_count];
	settings->key = arena_copy(table->arena, key);
	name_map_put(&table->setting_names, table->arena, settings->key, (uint32_t)table->setting_count);
	table->setting_count++;
	return settings;
}

void rule_table_set(struct rule_table *table, struct slice key, struct slice value, struct slice file,
		    unsigned line)
{
	struct rule_settings *settings = settings_of(table, key);
	struct rule_setting *setting = arena_new(table->arena, struct rule_setting);
	*setting = (struct rule_setting){
		.key = settings->key,
		.value = arena_copy(table->arena, value),
		.file = file,
		.line = line,
	};
	if (settings->last != NULL)
		settings->last->next = setting;
	else
		settings->first = setting;
	settings->last = setting;
	settings->count++;
}

const struct rule_settings *rule_table_get(const struct rule_table *table, const char *key)
{
	uint32_t at = name_map_get(&table->setting_names, slice_str(key));
	return at == NAME_MAP_NONE ? NULL : &table->settings[at];
}

double rule_table_number(const struct rule_table *table, const char *key, double fallback)
{
	const struct rule_settings *settings = rule_table_get(table, key);
	if (settings == NULL)
		return fallback;
	char *end;
	double value = strtod(settings->last->value.data, &end);
	return end == settings->last->value.data ? fallback : value;
}

bool rule_name_ok(struct slice name)
{
	if (name.len == 0 || name.len > 128 || ascii_is_digit(name.data[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '_')
			return false;
	return true;
}

void rule_downgrade(struct rule *rule, enum rule_status status, const char *reason)
{
	if (status <= rule->status)
		return;
	rule->status = status;
	rule->reason = reason;
}
