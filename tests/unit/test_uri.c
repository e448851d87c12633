#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/uri.h"
#include "tests/lib/shared.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* SpamAssassin's own tables: a text, and patterns that some URI of it matches, or, after "!", none. */

/* A Perl pattern as regcomp(3) takes it. */
static void translate(char *out, size_t size, struct slice in)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len && len + 2 < size; i++) {
		if (slice_starts(slice_from(in, i), SLICE("(?:"))) {
			out[len++] = '(';
			i += 2;
		} else if (in.data[i] == '\\' && i + 1 < in.len && strchr("@%/#:=_~!&'", in.data[i + 1]) != NULL) {
			continue;
		} else {
			out[len++] = in.data[i];
		}
	}
	out[len] = '\0';
}

static bool any_matches(const struct uris *uris, const char *pattern)
{
	regex_t re;
	bool matches = false;
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		fail_msg("pattern %s", pattern);
	for (size_t i = 0; i < uris->count && !matches; i++)
		for (size_t k = 0; k < uris->list[i].cleaned_count && !matches; k++)
			matches = regexec(&re, arena_str(uris->arena, uris->list[i].cleaned[k]), 0, NULL, 0) == 0;
	regfree(&re);
	return matches;
}

/* All patterns of one line hold. */
static bool line_holds(const struct uris *uris, struct slice patterns)
{
	struct slice piece;
	while (slice_split(&patterns, ' ', &piece)) {
		char pattern[512];
		bool negative = slice_starts(piece, SLICE("!"));
		if (piece.len == 0)
			continue;
		translate(pattern, sizeof(pattern), slice_from(piece, negative));
		if (any_matches(uris, pattern) == negative)
			return false;
	}
	return true;
}

static struct slice with_escapes(struct arena *arena, struct slice text)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < text.len; i++)
		if (slice_starts(slice_from(text, i), SLICE("{ESC}"))) {
			buf_add_char(&b, '\x1b');
			i += 4;
		} else {
			buf_add_char(&b, text.data[i]);
		}
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

/* What a rule file's redirector_pattern would say. */
static struct slice known_redirector(const void *arg, struct arena *arena, struct slice uri)
{
	(void)arg, (void)arena;
	struct slice place = SLICE("http://www.nate.com/r/");
	if (!slice_starts_nocase(uri, place))
		return SLICE_EMPTY;
	struct slice rest = slice_from(uri, place.len);
	return slice_from(rest, slice_chr(rest, '/') + 1);
}

static void run_table(const char *file, bool html, size_t *right, size_t *all)
{
	struct arena *arena = arena_create();
	struct slice rest = shared_file(arena, file), line;
	*right = *all = 0;
	while (slice_split(&rest, '\n', &line)) {
		size_t tab = slice_chr(line, '\t');
		if (line.len == 0 || line.data[0] == '#' || tab == SLICE_NPOS)
			continue;
		struct uris uris;
		struct uri_limits limits = { .redirect = known_redirector };
		uris_init(&uris, arena, &limits);
		struct slice text = with_escapes(arena, slice_head(line, tab));
		if (html)
			uris_from_html(&uris, text, "a", SLICE_EMPTY, false);
		else
			uris_from_text(&uris, text, false);
		struct buf patterns = { 0 };
		for (size_t i = tab; i < line.len; i++)
			buf_add_char(&patterns, line.data[i] == '\t' ? ' ' : line.data[i]);
		bool ok = line_holds(&uris, slice_trim(buf_slice(&patterns)));
		if (!ok) {
			printf("# differs: %.*s ->", SLICE_ARG(line));
			for (size_t i = 0; i < uris.count; i++)
				for (size_t k = 0; k < uris.list[i].cleaned_count; k++)
					printf(" [%.*s]", SLICE_ARG(uris.list[i].cleaned[k]));
			printf("\n");
		}
		buf_free(&patterns);
		*right += ok;
		++*all;
	}
	arena_destroy(&arena);
}

static void test_tables(void **state)
{
	(void)state;
	size_t right, all;
	run_table("sa_table_tests/extracted/uri_text.data.txt", false, &right, &all);
	if (all == 0)
		skip();
	printf("# count: URIs in text: %zu of %zu lines\n", right, all);
	assert_true(right * 100 >= all * 98);
	run_table("sa_table_tests/extracted/uri_html.data.txt", true, &right, &all);
	printf("# count: URIs in HTML: %zu of %zu lines\n", right, all);
	assert_true(right * 100 >= all * 98);
}

struct form_case {
	const char *uri, *form; /* form must be among the cleaned ones */
};

static const struct form_case forms[] = {
	{ "http://www.example.com/", "http://www.example.com/" },
	{ "http://%77w%77.example%2ecom/a%20b", "http://www.example.com/a%20b" },
	{ "http:\\\\example.com\\x", "http://example.com/x" },
	{ "http:/example.com", "http://example.com" },
	{ "http:example.com", "http://example.com" },
	{ "//example.com/x", "http:////example.com/x" },
	{ "http://user:pw@example.com/", "http://example.com/" },
	{ "http://paypal.com@evil.example/", "http://evil.example/" },
	{ "http://example.com:80/x", "http://example.com/x" },
	{ "https://example.com:443/x", "https://example.com/x" },
	{ "http://example.com?x=1", "http://example.com/?x=1" },
	{ "http://0x7f.1.0377.08/", "http://0x7f.1.0377.08/" },
	{ "http://0x7f.0.0.01/", "http://127.0.0.1/" },
	{ "http://2130706433/", "http://127.0.0.1/" },
	{ "http://0x7f000001/", "http://127.0.0.1/" },
	{ "http://b\xc3\xbc" "cher.example/", "http://xn--bcher-kva.example/" },
	{ "http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/" },
	{ "https://example.com/%D0%BF%D1%80/%E6%82%A8?%ff%d0%bf=%0a%C3",
	  "https://example.com/\xd0\xbf\xd1\x80/\xe6\x82\xa8?%ff%d0%bf=%0a%C3" },
	{ "http://ex&#97;mple&#x2E;com/", "http://example.com/" },
	{ "http://example\xe3\x80\x82" "com/", "http://example.com/" },
	{ "http://a.example/?url=http://b.example/x&y=1", "http://b.example/x" },
	{ "http://a.example/go?u=http%3A%2F%2Fb.example%2F", "http://b.example/" },
	{ "http://word", "http://www.word.com" },
	{ "http://example.com.", "http://example.com" },
	{ "www.example.com", "http://www.example.com" },
	{ "mailto:a@example.com?subject=x", "mailto:a@example.com" },
	{ "mailto:%20a@example.com%20", "mailto:a@example.com" },
	{ "ht\ntp://exam\r\nple.com/", "http://example.com/" },
};

static void test_forms(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct slice *list;
		size_t count = uri_clean(arena, slice_str(forms[i].uri), NULL, &list);
		bool found = false;
		for (size_t k = 0; k < count; k++)
			found = found || slice_eq(list[k], slice_str(forms[i].form));
		if (!found)
			fail_msg("%s: no %s", forms[i].uri, forms[i].form);
	}
	arena_destroy(&arena);
}

struct host_case {
	const char *uri, *host, *domain;
};

static const struct host_case hosts[] = {
	{ "http://WWW.Example.CO.UK/x", "www.example.co.uk", "example.co.uk" },
	{ "http://a.b.example.com:8080?x", "a.b.example.com", "example.com" },
	{ "mailto:x@mail.example.org?y", "mail.example.org", "example.org" },
	{ "mailto:x@y@example.org", NULL, NULL },
	{ "http://192.0.2.1/x", "192.0.2.1", "192.0.2.1" },
	{ "http://[2001:DB8::1]:80/", "2001:db8::1", "2001:db8::1" },
	{ "http://user@host@example.com/", "example.com", "example.com" },
	{ "http://\xd9\x85\xd8\xab\xd8\xa7\xd9\x84.\xd8\xa7\xdb\x8c\xd8\xb1\xd8\xa7\xd9\x86/",
	  "xn--mgbh0fb.xn--mgba3a4f16a",
	  "xn--mgbh0fb.xn--mgba3a4f16a" },
	{ "http://localhost/", NULL, NULL },
	{ "http://example.notatld/", NULL, NULL },
	{ "http://-a.example.com/", NULL, NULL },
	{ "javascript:alert(1)", NULL, NULL },
	{ "cid:x@example.com", NULL, NULL },
	{ "", NULL, NULL },
};

static void test_hosts(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct uri_host host = { .host = SLICE_EMPTY };
		bool has = uri_host(arena, slice_str(hosts[i].uri), &host);
		if (has != (hosts[i].host != NULL) ||
		    (has && (!slice_eq(host.host, slice_str(hosts[i].host)) ||
			     !slice_eq(host.domain, slice_str(hosts[i].domain)))))
			fail_msg("%s: %.*s, %.*s", hosts[i].uri, SLICE_ARG(host.host), SLICE_ARG(host.domain));
	}
	arena_destroy(&arena);
}

struct resolve_case {
	const char *base, *reference, *result;
};

/* RFC 3986 5.4.1 and 5.4.2, in part. */
#define RFC_BASE "http://a/b/c/d;p?q"
static const struct resolve_case resolve_cases[] = {
	{ RFC_BASE, "g:h", "g:h" }, { RFC_BASE, "g", "http://a/b/c/g" }, { RFC_BASE, "./g", "http://a/b/c/g" },
	{ RFC_BASE, "g/", "http://a/b/c/g/" }, { RFC_BASE, "/g", "http://a/g" }, { RFC_BASE, "//g", "http://g" },
	{ RFC_BASE, "?y", "http://a/b/c/d;p?y" }, { RFC_BASE, "g?y", "http://a/b/c/g?y" },
	{ RFC_BASE, "#s", "http://a/b/c/d;p?q#s" }, { RFC_BASE, "", RFC_BASE }, { RFC_BASE, ".", "http://a/b/c/" },
	{ RFC_BASE, "..", "http://a/b/" }, { RFC_BASE, "../g", "http://a/b/g" }, { RFC_BASE, "../../g",
	  "http://a/g" },
	{ RFC_BASE, "../../../g", "http://a/g" }, { RFC_BASE, "/./g", "http://a/g" }, { RFC_BASE, "g..",
	  "http://a/b/c/g.." },
	{ RFC_BASE, "g;x=1/../y", "http://a/b/c/y" }, { RFC_BASE, "http:g", "http://a/b/c/g" },
	{ "", "http://x/y", "http://x/y" }, { "", "//www.x/y", "http://www.x/y" }, { "", "foo/bar", "foo/bar" },
};

static void test_resolve(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(resolve_cases); i++) {
		const struct resolve_case *t = &resolve_cases[i];
		struct slice got = uri_resolve(arena, slice_str(t->base), slice_str(t->reference));
		if (!slice_eq(got, slice_str(t->result)))
			fail_msg("%s: %.*s, want %s", t->reference, SLICE_ARG(got), t->result);
	}
	arena_destroy(&arena);
}

static void test_list(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct uris uris;
	uris_init(&uris, arena, &(struct uri_limits){ .uris = 3 });
	uris_from_html(&uris, SLICE("http://example.com/"), "a", SLICE("click"), true);
	assert_true(uris.list[0].types & URI_HIDDEN);
	uris_from_html(&uris, SLICE("http://example.com/"), "img", SLICE("click"), false);
	uris_from_text(&uris, SLICE("see http://example.com/, or \xd9\x85\xd8\xab www.example.org\xc2\xa0(foo.example.net)"),
		       false);
	assert_int_equal(uris.count, 2);
	const struct uri *u = &uris.list[0];
	assert_int_equal(u->types, URI_A | URI_IMG | URI_PARSED);
	assert_int_equal(u->anchor_count, 1);
	assert_int_equal(u->tag_count, 2);
	assert_int_equal(u->host_count, 1);
	uris_from_text(&uris, SLICE("http://a.com http://b.com http://c.com"), false);
	assert_int_equal(uris.count, 3);
	assert_true(uris.cut);
	arena_destroy(&arena);
}

static void test_hostile(void **state)
{
	(void)state;
	static const char *const pieces[] = {
		"a@", "@", "http://", "www.", "a.com/", ".", "a.", "http://a.com/?u=", "%41", "a,", "mailto:", "&#46;",
			"\x1b(B",
		"http://a.com ", "x@a.com,", "(", ")",
	};
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct arena *arena = arena_create();
		struct buf b = { 0 };
		struct uris uris;
		while (b.len < 3 << 20)
			buf_add_str(&b, pieces[i]);
		clock_t start = clock();
		uris_init(&uris, arena, NULL);
		uris_from_text(&uris, buf_slice(&b), false);
		uris_from_html(&uris, buf_slice(&b), "a", SLICE_EMPTY, false);
		double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		if (ms > 3000)
			fail_msg("3 MB of \"%s\": %.0f ms", pieces[i], ms);
		buf_free(&b);
		arena_destroy(&arena);
	}
	struct arena *arena = arena_create();
	struct buf b = { 0 };
	struct uris uris;
	for (int i = 0; i < 200000; i++)
		buf_printf(&b, "http://host%d.example.com/ ", i);
	clock_t start = clock();
	uris_init(&uris, arena, NULL);
	uris_from_text(&uris, buf_slice(&b), false);
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	printf("# 200,000 links, %zu kept: %.0f ms\n", uris.count, ms);
	assert_true(ms < 5000);
	buf_free(&b);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
