/* Hidden rules that wait change nothing that anybody sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "message/envelope.h"
#include "rules/rule_scan.h"
#include "tests/lib/corpus.h"

#define STOCK "/usr/share/spamassassin"
#define MAILS_MAX 150

struct outcome {
	const struct rule_hit *hits;
	size_t count;
	uint64_t tried;
};

static struct outcome scan(struct arena *arena, const struct ruleset *rules, struct slice file, bool all)
{
	struct message *message = arena_new(arena, struct message);
	struct facts *facts = arena_new(arena, struct facts);
	const struct rule_input input = {
		.arena = arena, .all = all, .message = message, .facts = facts, .now = 1700000000,
		.hostname = SLICE("mx.example.org"),
	};
	struct outcome o;
	message_parse(message, arena, message_canonical(arena, file).bytes, 1000);
	message->size = message->raw.len;
	struct rule_scan *s = rule_scan_begin(rules, &input);
	rule_scan_texts(s);
	assert_true(rule_scan_finish(s));
	o.hits = rule_scan_hits(s, &o.count);
	o.tried = s->run.tried;
	rule_scan_end(&s);
	return o;
}

/* The same hits of visible rules, with the same values and evidence. Returns whether less was tried. */
static bool compare(const struct ruleset *rules, struct slice file, const char *path)
{
	struct arena *arena = arena_create();
	struct outcome all = scan(arena, rules, file, true), some = scan(arena, rules, file, false);
	size_t k = 0;
	for (size_t i = 0; i < all.count; i++) {
		if (rule_is_hidden(all.hits[i].rule))
			continue;
		if (k == some.count || some.hits[k].rule != all.hits[i].rule)
			fail_msg("%s: %s hits, if all rules run", path, all.hits[i].rule->name.data);
		if (some.hits[k].value != all.hits[i].value || !slice_eq(some.hits[k].evidence, all.hits[i].evidence))
			fail_msg("%s: %s: %g and %g, \"%.*s\" and \"%.*s\"", path, all.hits[i].rule->name.data,
				 some.hits[k].value, all.hits[i].value, SLICE_ARG(some.hits[k].evidence),
				 SLICE_ARG(all.hits[i].evidence));
		k++;
	}
	if (k != some.count)
		fail_msg("%s: %s hits, if rules wait", path, some.hits[k].rule->name.data);
	bool fewer = some.tried < all.tried;
	arena_destroy(&arena);
	return fewer;
}

static struct ruleset *load(struct slice text)
{
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct ruleset *rules = ruleset_load_text(SLICE("r.cf"), text, NULL, &errors);
	if (errors.count > 0)
		fail_msg("%.*s", SLICE_ARG(errors.list[0].message));
	arena_destroy(&arena);
	return rules;
}

static void test_only_what_matters(void **state)
{
	(void)state;
	struct ruleset *rules = load(SLICE(
		"body __CHEAP /cheap word/\nbody __DEAR /(?:dear|costly)[a-z ]{1,40}(?:word|term|name){1,9}/\n"
		"meta BOTH __CHEAP && __DEAR\nscore BOTH 1\n"
		"meta EITHER __CHEAP || __DEAR\nscore EITHER 1\n"
		"header __NO_REPLY Reply-To !~ /./\nmeta FRESH __NO_REPLY && !__DEAR\nscore FRESH 1\n"));
	struct arena *arena = arena_create();
	struct outcome o = scan(arena, rules, SLICE("Subject: x\r\n\r\ncheap word and dear old word\r\n"), false);
	assert_int_equal(o.count, 2);
	assert_string_equal(o.hits[0].rule->name.data, "BOTH");
	assert_string_equal(o.hits[1].rule->name.data, "EITHER");
	o = scan(arena, rules, SLICE("Reply-To: a@example.org\r\n\r\ncheap thing and dear old word\r\n"), false);
	assert_int_equal(o.count, 1);
	o = scan(arena, rules, SLICE("Subject: x\r\n\r\nnothing\r\n"), false);
	assert_int_equal(o.count, 1);
	assert_int_equal(o.tried, 0);
	arena_destroy(&arena);
	ruleset_release(&rules);
}

/* ---- rules and mails made at random ---- */

static unsigned pick(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

static void add_pattern(struct buf *out, unsigned *seed, unsigned n)
{
	static const char *const kinds[] = { "body", "rawbody", "full", "header", "uri" };
	static const char *const patterns[] = { "alpha", "be+ta", "[gk]amma", "d.lta", "^epsilon", "z?eta$", "th[e\\xe9]ta", "\\biota\\b" };
	const char *kind = kinds[pick(seed, 5)];
	bool hidden = pick(seed, 6) > 0;
	buf_printf(out, "%s %sP%u %s/%s/%s\n", kind, hidden ? "__" : "", n,
		   strcmp(kind, "header") == 0 ? pick(seed, 2) ? "Subject =~ " : "X-Mailer !~ " : "",
		   patterns[pick(seed, 8)], pick(seed, 2) ? "i" : "");
	if (pick(seed, 3) == 0)
		buf_printf(out, "tflags %sP%u multiple%s\n", hidden ? "__" : "", n, pick(seed, 2) ? " maxhits=2" : "");
	buf_printf(out, "meta __N%u %sP%u\n", n, hidden ? "__" : "", n);
}

static void add_meta(struct buf *out, unsigned *seed, unsigned n, unsigned patterns)
{
	static const char *const operators[] = { "&&", "||", "+", "-", "*", "/", "%", "^", ">", "<=", "==", "!=" };
	bool hidden = pick(seed, 2);
	buf_printf(out, "meta %sM%u ", hidden ? "__" : "", n);
	for (unsigned i = 0, terms = 1 + pick(seed, 5); i < terms; i++) {
		if (i > 0)
			buf_printf(out, " %s ", operators[pick(seed, 12)]);
		if (n > 0 && pick(seed, 3) == 0)
			buf_printf(out, "%s__M%u", pick(seed, 4) == 0 ? "!" : "", pick(seed, n));
		else if (pick(seed, 6) == 0)
			buf_printf(out, "%u", pick(seed, 3));
		else
			buf_printf(out, "%s__N%u", pick(seed, 4) == 0 ? "!" : "", pick(seed, patterns));
	}
	buf_printf(out, "\n");
	if (!hidden)
		buf_printf(out, "meta __M%u M%u\nscore M%u 0.1\n", n, n, n);
}

static struct slice random_mail(struct buf *out, unsigned *seed)
{
	static const char *const words[] = {
		"alpha", "Beta", "beeta", "kamma", "gamma", "delta", "dolta", "epsilon", "eta", "zeta", "theta", "th\xe9ta", "iota",
		"http://www.example.com/alpha", "\r\n", "\r\n\r\n", "x", "y", "z",
	};
	buf_clear(out);
	buf_printf(out, "Subject: %s\r\n%s\r\n", words[pick(seed, 13)], pick(seed, 2) ? "X-Mailer: Beta gamma\r\n" : "");
	for (unsigned i = 0, n = pick(seed, 40); i < n; i++)
		buf_printf(out, "%s ", words[pick(seed, 19)]);
	return buf_slice(out);
}

static void test_random(void **state)
{
	struct buf text = { 0 }, mail = { 0 };
	unsigned seed = 7;
	bool fewer = false;
	(void)state;
	for (unsigned set = 0; set < 60; set++) {
		buf_clear(&text);
		for (unsigned i = 0; i < 12; i++)
			add_pattern(&text, &seed, i);
		for (unsigned i = 0; i < 20; i++)
			add_meta(&text, &seed, i, 12);
		struct ruleset *rules = load(buf_slice(&text));
		ruleset_improve(rules, set % 4 == 0);
		for (unsigned i = 0; i < 25; i++)
			fewer = compare(rules, random_mail(&mail, &seed), "random") || fewer;
		ruleset_release(&rules);
	}
	assert_true(fewer);
	buf_free(&text);
	buf_free(&mail);
}

/* ---- SpamAssassin's rules over real mail ---- */

struct corpus {
	const struct ruleset *rules;
	size_t seen, compared, fewer;
};

static void each_mail(void *arg, const char *path, struct slice bytes)
{
	struct corpus *c = arg;
	if (c->seen++ % 29 != 0 || c->compared == MAILS_MAX)
		return;
	c->compared++;
	c->fewer += compare(c->rules, bytes, path);
}

static void test_corpus(void **state)
{
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	const struct slice stock = SLICE(STOCK);
	(void)state;
	if (access(STOCK "/72_active.cf", R_OK) != 0) {
		print_message("# skipped: no rules in " STOCK "\n");
		skip();
	}
	struct ruleset *rules = ruleset_load(&stock, 1, NULL, &errors);
	struct corpus c = { .rules = rules };
	bool there = corpus_each("phishing_pot", ".eml", each_mail, &c);
	size_t spam = c.compared;
	c.compared = 0;
	there = corpus_each("lists-modern-ham", ".eml", each_mail, &c) && there;
	ruleset_release(&rules);
	arena_destroy(&arena);
	if (!there)
		skip();
	print_message("# count: %zu of %zu mails need fewer tries\n", c.fewer, spam + c.compared);
	assert_true(spam > 0 && c.compared > 0 && c.fewer > (spam + c.compared) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_matters), cmocka_unit_test(test_random), cmocka_unit_test(test_corpus),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
