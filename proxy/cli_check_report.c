#include "proxy/cli_check_report.h"

#include <stdio.h>

#include "base/json.h"
#include "proxy/cli_config.h"
#include "rules/rule_review.h"

static void json_errors(struct json *j, const char *key, const struct config_errors *errors)
{
	json_key(j, key);
	json_open_array(j);
	for (size_t i = 0; i < errors->count; i++) {
		json_open_object(j);
		json_str(j, "file", errors->list[i].file);
		json_num(j, "line", errors->list[i].line);
		json_str(j, "message", errors->list[i].message);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_rule(struct json *j, const struct rule *rule)
{
	json_open_object(j);
	json_str(j, "name", rule->name);
	json_str(j, "type", slice_str(rule_type_name(rule->type)));
	json_flag(j, "visible", !rule_is_hidden(rule));
	json_str(j, "status", slice_str(rule_status_name(rule->status)));
	json_str(j, "reason", slice_str(rule->reason));
	json_str(j, "file", rule->file);
	json_num(j, "line", rule->line);
	json_close_object(j);
}

/* A rule of the table that is more than a name with a score. */
static bool is_rule(const struct rule *rule)
{
	return rule->type != RULE_NONE;
}

static void json_notes(struct json *j, const struct ruleset *rules)
{
	struct arena *arena = arena_create();
	struct rule_note *notes = NULL;
	size_t count = rules != NULL ? ruleset_review(rules, arena, &notes) : 0;
	json_key(j, "notes");
	json_open_array(j);
	for (size_t i = 0; i < count; i++) {
		json_open_object(j);
		json_str(j, "name", notes[i].rule->name);
		json_str(j, "kind", slice_str(rule_note_name(notes[i].kind)));
		json_str(j, "text", slice_str(notes[i].text));
		json_str(j, "file", notes[i].rule->file);
		json_num(j, "line", notes[i].rule->line);
		json_close_object(j);
	}
	json_close_array(j);
	arena_destroy(&arena);
}

static void json_types(struct json *j, const struct ruleset_totals *t)
{
	json_key(j, "by_type");
	json_open_object(j);
	for (enum rule_type type = RULE_NONE + 1; type < RULE_TYPES; type++)
		if (t->by_type[type] > 0)
			json_num(j, rule_type_name(type), (int64_t)t->by_type[type]);
	json_close_object(j);
}

static void json_rules(struct json *j, const struct ruleset *rules)
{
	struct ruleset_totals t = { 0 };
	if (rules != NULL)
		ruleset_totals(rules, &t);
	json_key(j, "rules");
	json_open_object(j);
	json_num(j, "total", (int64_t)t.rules);
	json_num(j, "supported", (int64_t)t.supported);
	json_num(j, "approximate", (int64_t)t.approximate);
	json_num(j, "unsupported", (int64_t)t.unsupported);
	json_num(j, "visible", (int64_t)t.visible);
	json_num(j, "visible_supported", (int64_t)t.visible_supported);
	json_types(j, &t);
	json_notes(j, rules);
	json_key(j, "list");
	json_open_array(j);
	for (size_t i = 0; rules != NULL && i < rules->table->count; i++)
		if (is_rule(rules->table->list[i]))
			json_rule(j, rules->table->list[i]);
	json_close_array(j);
	json_close_object(j);
}

static void json_relay(struct json *j, const struct relay_report *relay)
{
	json_key(j, "relay");
	json_open_object(j);
	json_num(j, "probes", (int64_t)relay->probes);
	json_num(j, "leaks", (int64_t)relay->leaks_seen);
	json_key(j, "list");
	json_open_array(j);
	for (size_t i = 0; i < relay->leak_count; i++) {
		const struct relay_leak *leak = &relay->leaks[i];
		json_open_object(j);
		json_str(j, "client", leak->client);
		json_str(j, "sender", leak->sender);
		json_str(j, "recipient", leak->recipient);
		json_str(j, "trick", leak->trick);
		json_str(j, "reason", leak->reason);
		json_close_object(j);
	}
	json_close_array(j);
	json_close_object(j);
}

void check_report_json(const struct check_report *r)
{
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	json_open_object(&j);
	json_flag(&j, "ok", check_report_ok(r));
	json_errors(&j, "errors", &r->errors);
	json_errors(&j, "warnings", &r->warnings);
	json_rules(&j, r->rules);
	json_relay(&j, &r->relay);
	json_close_object(&j);
	buf_add_char(&out, '\n');
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
}

static void print_rule(const struct rule *rule)
{
	printf("%-11s %-13s %.*s", rule_status_name(rule->status), rule_type_name(rule->type),
	       SLICE_ARG(rule->name));
	if (rule->reason != NULL)
		printf(": %s (%.*s:%u)", rule->reason, SLICE_ARG(rule->file), rule->line);
	putchar('\n');
}

/* All of them if verbose, else how many of each kind. */
static void print_notes(const struct ruleset *rules, bool verbose)
{
	struct arena *arena = arena_create();
	struct rule_note *notes;
	size_t kinds[NOTES] = { 0 }, count = ruleset_review(rules, arena, &notes);
	for (size_t i = 0; i < count; i++) {
		kinds[notes[i].kind]++;
		if (verbose && notes[i].rule->line > 0)
			printf("note: %s: %s (%.*s:%u)\n", notes[i].rule->name.data, notes[i].text,
			       SLICE_ARG(notes[i].rule->file), notes[i].rule->line);
		else if (verbose)
			printf("note: %s: %s\n", notes[i].rule->name.data, notes[i].text);
	}
	if (count > 0)
		fputs("notes:", stdout);
	for (unsigned k = 0, n = 0; k < NOTES; k++)
		if (kinds[k] > 0)
			printf("%s %zu %s", n++ > 0 ? "," : "", kinds[k], rule_note_name((enum rule_note_kind)k));
	if (count > 0)
		puts(verbose ? "" : "; -v lists them");
	arena_destroy(&arena);
}

static void print_types(const struct ruleset_totals *t)
{
	fputs("types:", stdout);
	for (enum rule_type type = RULE_NONE + 1, n = 0; type < RULE_TYPES; type++)
		if (t->by_type[type] > 0)
			printf("%s %zu %s", n++ > 0 ? "," : "", t->by_type[type], rule_type_name(type));
	putchar('\n');
}

static void print_rules(const struct ruleset *rules, bool verbose)
{
	struct ruleset_totals t;
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->table->count; i++) {
		const struct rule *rule = rules->table->list[i];
		if (is_rule(rule) && (verbose || rule->status != RULE_SUPPORTED))
			print_rule(rule);
	}
	ruleset_totals(rules, &t);
	printf("rules: %zu supported, %zu approximate, %zu unsupported, %zu in all\n", t.supported,
	       t.approximate, t.unsupported, t.rules);
	if (t.rules > 0)
		print_types(&t);
	print_notes(rules, verbose);
}

static void print_relay(const struct relay_report *relay)
{
	for (size_t i = 0; i < relay->leak_count; i++) {
		const struct relay_leak *leak = &relay->leaks[i];
		struct buf recipient = { 0 };
		json_add_quoted(&recipient, leak->recipient);
		printf("leak: %s from %.*s (%.*s): %.*s\n", buf_cstr(&recipient), SLICE_ARG(leak->client),
		       SLICE_ARG(leak->trick), SLICE_ARG(leak->reason));
		buf_free(&recipient);
	}
	printf("relay: %zu probes by strangers, %zu would be relayed\n", relay->probes, relay->leaks_seen);
}

void check_report_text(const struct check_report *r, bool verbose)
{
	if (r->config != NULL) {
		print_rules(r->rules, verbose);
		print_relay(&r->relay);
	}
	fflush(stdout);
	cli_print_errors(stderr, "", &r->errors);
	cli_print_errors(stderr, "warning: ", &r->warnings);
	if (check_report_ok(r))
		puts("The configuration is good.");
}
