/* gatehouse rules: what rules there are, and what one of them does. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/nearest.h"
#include "filters/symbols.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/rules_setup.h"
#include "rules/rule_eval.h"
#include "rules/rule_expr.h"
#include "rules/rule_test.h"

static const char usage[] =
	"usage: gatehouse rules list [-c FILE] [--rules PATH]... [--all] [--json]\n"
	"       gatehouse rules explain NAME... [-c FILE] [--rules PATH]...\n"
	"       gatehouse rules test [-c FILE] [--rules PATH]...\n"
	"       gatehouse rules functions\n"
	"list       name, type, score and whether it can be honoured; --all: of sub-rules (__NAME) too\n"
	"explain    where a rule or a filter's symbol stands, what it says, how it is matched, what it is made of\n"
	"test       tries the `test` lines of the rule files; exit status 1 if one fails\n"
	"functions  what `eval:` may call, with how many arguments\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --rules PATH       rule file or folder, instead of the configuration's; may be repeated\n"
	"  --json             an object a line\n";

struct options {
	const char *config;
	struct cli_paths rules;
	bool all, json;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "rules", required_argument, NULL, 'R' },
	{ "all", no_argument, NULL, 'a' },          { "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
};

/* ---- list ---- */

static void list_text(const struct ruleset *rules, const struct rule *rule)
{
	printf("%-32s %-12s %7.3f  %-11s %-10s %s\n", rule->name.data, rule_type_name(rule->type), rule->score,
	       rule_status_name(rule->status), rule_engine_way(rules->engine, rule), rule->reason ? rule->reason : "");
}

static void list_json(const struct ruleset *rules, const struct rule *rule)
{
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	json_open_object(&j);
	json_str(&j, "name", rule->name);
	json_str(&j, "type", slice_str(rule_type_name(rule->type)));
	json_real(&j, "score", rule->score);
	json_str(&j, "status", slice_str(rule_status_name(rule->status)));
	json_str(&j, "reason", slice_str(rule->reason ? rule->reason : ""));
	json_str(&j, "engine", slice_str(rule_engine_way(rules->engine, rule)));
	json_str(&j, "describe", slice_str(rule->describe ? rule->describe : ""));
	json_str(&j, "file", rule->file);
	json_num(&j, "line", rule->line);
	json_close_object(&j);
	puts(buf_cstr(&out));
	buf_free(&out);
}

static int list(const struct ruleset *rules, const struct options *o)
{
	for (size_t i = 0; i < rules->table->count; i++) {
		const struct rule *rule = rules->table->list[i];
		if (rule->type == RULE_NONE || (rule_is_hidden(rule) && !o->all))
			continue;
		(o->json ? list_json : list_text)(rules, rule);
	}
	return EX_OK;
}

/* ---- explain ---- */

static const struct {
	unsigned flag;
	const char *name;
} tflag_names[] = {
	{ TFLAG_NET, "net" }, { TFLAG_NICE, "nice" }, { TFLAG_LEARN, "learn" }, { TFLAG_MULTIPLE, "multiple" },
	{ TFLAG_NOSUBJECT, "nosubject" }, { TFLAG_USERCONF, "userconf" },
};

static void print_flags(const struct rule *rule)
{
	if (rule->tflags == 0)
		return;
	printf("  flags     ");
	for (size_t i = 0; i < sizeof(tflag_names) / sizeof(*tflag_names); i++)
		if (rule->tflags & tflag_names[i].flag)
			printf(" %s", tflag_names[i].name);
	if (rule->maxhits > 0)
		printf(" maxhits=%u", rule->maxhits);
	putchar('\n');
}

struct parts {
	const struct ruleset *rules;
	struct name_map seen;
	struct arena *arena;
};

static void print_part(void *context, uint32_t index)
{
	struct parts *p = context;
	const struct rule *part = p->rules->table->list[index];
	if (name_map_has(&p->seen, part->name))
		return;
	name_map_put(&p->seen, p->arena, part->name, 1);
	printf("  part       %-28s %-12s %.*s\n", part->name.data,
	       rule_told_by_filter(part) ? "filter" : rule_type_name(part->type),
	       SLICE_ARG(slice_head(part->text, 80)));
}

static void print_used_by(const struct ruleset *rules, const struct rule *rule);

static void print_rule(const struct ruleset *rules, const struct rule *rule)
{
	struct arena *arena = arena_create();
	printf("%s: %s\n", rule->name.data, rule->describe ? rule->describe : "(no description)");
	printf("  defined    %.*s:%u\n", SLICE_ARG(rule->file), rule->line);
	printf("  type       %s\n  says       %.*s\n", rule_type_name(rule->type), SLICE_ARG(rule->text));
	printf("  score      %g%s\n", rule->score, rule->scored ? "" : " (default)");
	printf("  status     %s%s%s\n", rule_status_name(rule->status), rule->reason ? ": " : "",
	       rule->reason ? rule->reason : "");
	if (!rule->wanted)
		printf("  runs       no%s\n", rule->score == 0 ? ": its score is 0" : "");
	if (rule->regex != NULL)
		printf("  matched by %s\n", rule_engine_way(rules->engine, rule));
	print_flags(rule);
	if (rule->shadow)
		puts("  shadow     measured, not enforced");
	if (rule->action != ACTION_NONE)
		printf("  action     %s \"%.*s\"\n", action_name(rule->action), SLICE_ARG(rule->refusal.text));
	if (rule->expr != NULL) {
		struct parts parts = { .rules = rules, .arena = arena };
		rule_expr_rules(rule->expr, print_part, &parts);
	}
	print_used_by(rules, rule);
	for (size_t i = 0; i < rule->test_count; i++)
		printf("  test       %s %.*s\n", rule->tests[i].ok ? "ok  " : "fail", SLICE_ARG(rule->tests[i].text));
	arena_destroy(&arena);
}

struct user {
	uint32_t wanted;
	bool uses;
};

static void note_use(void *context, uint32_t index)
{
	struct user *u = context;
	u->uses = u->uses || index == u->wanted;
}

static void print_used_by(const struct ruleset *rules, const struct rule *rule)
{
	for (size_t i = 0; i < rules->meta_count; i++) {
		const struct rule *meta = rules->table->list[rules->metas[i]];
		struct user u = { .wanted = rule->index };
		rule_expr_rules(meta->expr, note_use, &u);
		if (u.uses)
			printf("  used by    %s\n", meta->name.data);
	}
}

/* A symbol that a filter reports; false: it is none. */
static bool print_symbol(const struct ruleset *rules, const char *name, const struct rule *rule)
{
	const struct filter_symbol *symbol = NULL;
	const struct filter *filter = symbol_filter(name, &symbol);
	bool defined = rule != NULL && rule->type != RULE_NONE;
	if (filter == NULL && (rule == NULL || !rule->reported))
		return false;
	if (!defined) {
		const char *describe = rule != NULL && rule->describe != NULL ? rule->describe :
				       symbol != NULL ? symbol->describe : "a DNS list";
		printf("%s: %s\n", name, describe);
		printf("  score      %g%s\n", rule != NULL && rule->scored ? rule->score : symbol != NULL ? symbol->score : 0,
		       rule != NULL && rule->scored ? "" : " (default)");
	}
	printf("  reported   by filter %s%s%s\n", filter != NULL ? filter->name : "dnsbl",
	       rule == NULL || !rule->reported ? ", which is off" : "",
	       defined && !rule_told_by_filter(rule) ? ", but the rule decides and its score counts" : "");
	if (!defined && rule != NULL)
		print_used_by(rules, rule);
	return true;
}

static int explain(const struct ruleset *rules, char **names, int count)
{
	int status = EX_OK;
	for (int i = 0; i < count; i++) {
		const struct rule *rule = rule_table_find(rules->table, slice_str(names[i]));
		bool defined = rule != NULL && rule->type != RULE_NONE;
		if (defined)
			print_rule(rules, rule);
		if (print_symbol(rules, names[i], rule) || defined)
			continue;
		struct nearest near = nearest_begin(slice_str(names[i]));
		for (size_t k = 0; k < rules->table->count; k++)
			if (rules->table->list[k]->type != RULE_NONE)
				nearest_try(&near, rules->table->list[k]->name);
		fprintf(stderr, "gatehouse rules: no rule %s", names[i]);
		if (near.best.len > 0)
			fprintf(stderr, ": did you mean %.*s?", SLICE_ARG(near.best));
		fputc('\n', stderr);
		status = EX_DATAERR;
	}
	return status;
}

/* ---- test ---- */

static void print_failed(void *context, const struct rule *rule, const struct rule_test *test)
{
	(void)context;
	printf("%.*s:%u: %s %s: %.*s\n", SLICE_ARG(rule->file), rule->line, rule->name.data,
	       test->ok ? "does not hit" : "hits", SLICE_ARG(test->text));
}

static int run_tests(const struct ruleset *rules)
{
	struct rule_test_result r = ruleset_run_tests(rules, print_failed, NULL);
	printf("%zu passed, %zu failed", r.passed, r.failed);
	if (r.skipped > 0)
		printf(", %zu skipped", r.skipped);
	putchar('\n');
	return r.failed > 0 ? 1 : EX_OK;
}

/* ---- functions ---- */

static int list_functions(void)
{
	const struct eval_function *f;
	for (size_t n = 0; (f = eval_each(n)) != NULL; n++) {
		if (f->min_args == f->max_args)
			printf("%-44s %u", f->name, f->min_args);
		else
			printf("%-44s %u to %u", f->name, f->min_args, f->max_args);
		printf("%s%s\n", f->approximate != NULL ? "  approximate: " : "", f->approximate ? f->approximate : "");
	}
	return EX_OK;
}

/* ---- */

static int with_rules(const struct options *o, const char *what, char **rest, int count)
{
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = cli_config_read(arena, o->config, &o->rules, &errors);
	struct ruleset *rules = config != NULL ? rules_setup(config, &errors) : NULL;
	int status = EX_CONFIG;
	cli_print_errors(stderr, "", &errors);
	if (rules == NULL && config != NULL)
		fputs("gatehouse rules: no rules: rules.paths is empty; give --rules PATH\n", stderr);
	else if (rules != NULL && strcmp(what, "list") == 0)
		status = list(rules, o);
	else if (rules != NULL && strcmp(what, "explain") == 0)
		status = explain(rules, rest, count);
	else if (rules != NULL)
		status = run_tests(rules);
	if (status == EX_OK && errors.count > 0)
		status = EX_CONFIG;
	if (rules != NULL)
		ruleset_release(&rules);
	arena_destroy(&arena);
	return status;
}

/* 0: go on; else 'h', or '?' which has been told of. */
static int read_options(int argc, char **argv, struct options *o)
{
	int c;
	optind = 1;
	while ((c = cli_option("rules", argc, argv, ":c:h", long_options)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'R': cli_paths_add(&o->rules, optarg); break;
		case 'a': o->all = true; break;
		case 'j': o->json = true; break;
		default: return c;
		}
	}
	return 0;
}

static int run_verb(const struct options *o, char **words, int count)
{
	static const char *const verbs[] = { "list", "explain", "test", "functions", NULL };
	const char *verb = count > 0 ? words[0] : "";
	size_t i = 0;
	while (verbs[i] != NULL && strcmp(verbs[i], verb) != 0)
		i++;
	if (verbs[i] == NULL)
		return cli_bad_verb("rules", count > 0 ? verb : NULL, verbs);
	if (strcmp(verb, "explain") == 0 && count == 1)
		return cli_bad_usage("rules", "explain needs the name of a rule");
	if (strcmp(verb, "explain") != 0 && count > 1)
		return cli_bad_usage("rules", "unexpected argument '%s'", words[1]);
	if (strcmp(verb, "functions") == 0)
		return list_functions();
	return with_rules(o, verb, words + 1, count - 1);
}

int cli_rules(int argc, char **argv)
{
	struct options o = { .config = NULL };
	int status = EX_USAGE;
	int c = read_options(argc, argv, &o);
	if (c == 'h') {
		fputs(usage, stdout);
		status = EX_OK;
	} else if (c == 0) {
		status = run_verb(&o, argv + optind, argc - optind);
	}
	cli_paths_free(&o.rules);
	return status;
}
