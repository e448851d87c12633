#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/settings.h"

struct top {
	struct slice name;
	int64_t number;
	struct slice_list words;
};

struct box {
	struct slice title;
	struct endpoint address;
	struct slice text;
	int color;
	double weight;
};

struct limits {
	uint64_t size;
	int64_t wait, count, mode;
	bool on;
};

struct relay {
	struct slice_list domains;
	struct cidr_list networks;
};

struct one {
	bool enabled;
};

static const struct setting_value colors[] = { { "red", 1 }, { "green", 2 }, { NULL, 0 } };
static const struct setting_value off[] = { { "off", -1 }, { NULL, 0 } };

static const struct setting top_settings[] = {
	{ "name", SETTING_STRING, offsetof(struct top, name), .fallback = "nobody" },
	{ "number", SETTING_INT, offsetof(struct top, number), .fallback = "7", .min = -5, .max = 10 },
	{ "words", SETTING_STRINGS, offsetof(struct top, words), .fallback = "a, b" },
	{ 0 },
};
static const struct setting box_settings[] = {
	{ "address", SETTING_ENDPOINT, offsetof(struct box, address), .required = true },
	{ "text", SETTING_STRING, offsetof(struct box, text), .fallback = "" },
	{ "color", SETTING_ENUM, offsetof(struct box, color), .fallback = "green", .values = colors },
	{ "weight", SETTING_FLOAT, offsetof(struct box, weight), .fallback = "off", .values = off },
	{ 0 },
};
static const struct setting limits_settings[] = {
	{ "message-size", SETTING_SIZE, offsetof(struct limits, size), .fallback = "50mb", .min = 1024,
	  .max = 1073741824 },
	{ "wait", SETTING_TIME, offsetof(struct limits, wait), .fallback = "300s", .min = 100, .max = 3600000 },
	{ "count", SETTING_INT, offsetof(struct limits, count), .fallback = "3" },
	{ "on", SETTING_BOOL, offsetof(struct limits, on), .fallback = "off" },
	{ "mode", SETTING_MODE, offsetof(struct limits, mode), .fallback = "0660" },
	{ 0 },
};
static const struct setting relay_settings[] = {
	{ "domains", SETTING_DOMAINS, offsetof(struct relay, domains), .fallback = NULL },
	{ "networks", SETTING_CIDRS, offsetof(struct relay, networks), .fallback = "127.0.0.0/8, ::1/128" },
	{ 0 },
};
static const struct setting one_settings[] = {
	{ "enabled", SETTING_BOOL, offsetof(struct one, enabled), .fallback = "on" },
	{ 0 },
};

static const struct section top_section = { "", false, sizeof(struct top), top_settings, NULL };
static const struct section box_section = { "box", true, sizeof(struct box), box_settings, NULL };
static const struct section limits_section = { "limits", false, sizeof(struct limits), limits_settings, NULL };
static const struct section relay_section = { "relay", false, sizeof(struct relay), relay_settings, NULL };
static const struct section spf_section = { "filter spf", false, sizeof(struct one), one_settings, NULL };
static const struct section dkim_section = { "filter dkim", false, sizeof(struct one), one_settings, NULL };
static const struct section empty_section = { "empty", false, 1, NULL, NULL };
static const struct section *const sections[] = {
	&box_section, &limits_section, &relay_section, &spf_section, &dkim_section, &empty_section, NULL,
};

/* One test's things. */
struct fixture {
	struct arena *arena;
	struct config_errors errors;
	char folder[64];
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const char *base = getenv("TMPDIR");
	snprintf(f->folder, sizeof(f->folder), "%s/gatehouse-settings-XXXXXX", base ? base : "/tmp");
	f->arena = arena_create();
	f->errors.arena = f->arena;
	*state = f;
	return mkdtemp(f->folder) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_destroy(&f->arena);
	free(f);
	return 0;
}

static struct settings_file *read_text(struct fixture *f, struct slice text)
{
	f->errors = (struct config_errors){ .arena = f->arena };
	return settings_read(f->arena, SLICE("-"), text, &top_section, sections, &f->errors);
}

static const char *path_in(struct fixture *f, const char *name)
{
	return arena_printf(f->arena, "%s/%s", f->folder, name).data;
}

static void put(struct fixture *f, const char *name, const char *text)
{
	FILE *out = fopen(path_in(f, name), "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static struct settings_file *read_path(struct fixture *f, const char *name)
{
	f->errors = (struct config_errors){ .arena = f->arena };
	return settings_read(f->arena, slice_str(path_in(f, name)), SLICE_EMPTY, &top_section, sections,
			     &f->errors);
}

/* All errors as lines "file:line: message", without the folder. */
static const char *errors_text(struct fixture *f)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < f->errors.count; i++) {
		const struct config_error *e = &f->errors.list[i];
		size_t slash = slice_rchr(e->file, '/');
		struct slice name = slash == SLICE_NPOS ? e->file : slice_from(e->file, slash + 1);
		buf_printf(&out, "%.*s:%u: %.*s\n", SLICE_ARG(name), e->line, SLICE_ARG(e->message));
	}
	const char *text = arena_str(f->arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

/* The text is refused, and each of the lines stands among the errors. */
static void refused(struct fixture *f, struct slice text, const char *want)
{
	struct settings_file *file = read_text(f, text);
	const char *got = errors_text(f);
	struct slice line, rest = slice_str(want);
	if (file != NULL)
		fail_msg("taken: %.*s", SLICE_ARG(text));
	while (slice_split(&rest, '\n', &line))
		if (strstr(got, arena_str(f->arena, line)) == NULL)
			fail_msg("no error \"%.*s\" among:\n%s", SLICE_ARG(line), got);
}

static struct settings_file *taken(struct fixture *f, struct slice text)
{
	struct settings_file *file = read_text(f, text);
	if (file == NULL)
		fail_msg("refused: %s", errors_text(f));
	return file;
}

static void same(struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void test_defaults(void **state)
{
	struct fixture *f = *state;
	struct settings_file *file = taken(f, SLICE(""));
	const struct top *top = settings_top(file);
	const struct limits *l = settings_get(file, &limits_section, SLICE_EMPTY);
	const struct relay *r = settings_get(file, &relay_section, SLICE_EMPTY);
	const struct one *spf = settings_get(file, &spf_section, SLICE_EMPTY);
	size_t at = 0;
	same(top->name, "nobody");
	assert_int_equal(top->number, 7);
	assert_int_equal(top->words.count, 2);
	same(top->words.items[1], "b");
	assert_int_equal(l->size, 50 * 1024 * 1024);
	assert_int_equal(l->wait, 300000);
	assert_int_equal(l->mode, 0660);
	assert_false(l->on);
	assert_int_equal(r->domains.count, 0);
	assert_int_equal(r->networks.count, 2);
	assert_int_equal(r->networks.items[0].bits, 8);
	assert_true(spf->enabled);
	assert_null(settings_next(file, &box_section, &at));
	assert_null(settings_get(file, &box_section, SLICE("x")));
	const struct box *box = settings_defaults(f->arena, &box_section);
	assert_int_equal(box->color, 2);
	assert_true(box->weight == -1);
}

/* The way values are written in the manual: unquoted where it can be. */
static void test_values(void **state)
{
	struct fixture *f = *state;
	struct settings_file *file = taken(f, SLICE(
		"name = mx.example.org\n"
		"number=-5 words = {a/b:c*d@e, \"x y\", 'z',}\n"
		"box one { address = 0.0.0.0:25   color = RED weight = 2.5 text = user+tag@example.org }\n"
		"box two-2.x { address = \"unix:/run/x\" color=green weight = off text = ''}\n"
		"limits { message-size = 64k wait = 2m count = 0 on = yes mode = 600 }\n"
		"relay { domains = {*.Example.org, .a.b, b\xc3\xbc" "cher.example} networks = ::1 }\n"
		"filter spf { enabled = off }\n"
		"empty { }\n"));
	const struct top *top = settings_top(file);
	const struct limits *l = settings_get(file, &limits_section, SLICE_EMPTY);
	const struct relay *r = settings_get(file, &relay_section, SLICE_EMPTY);
	const struct box *one = settings_get(file, &box_section, SLICE("one"));
	const struct box *two = settings_get(file, &box_section, SLICE("two-2.x"));
	same(top->name, "mx.example.org");
	assert_int_equal(top->number, -5);
	assert_int_equal(top->words.count, 3);
	same(top->words.items[0], "a/b:c*d@e");
	same(top->words.items[1], "x y");
	same(one->title, "one");
	assert_int_equal(one->address.port, 25);
	assert_int_equal(one->color, 1);
	assert_true(one->weight == 2.5);
	same(one->text, "user+tag@example.org");
	same(two->address.path, "/run/x");
	assert_true(two->weight == -1);
	assert_int_equal(l->size, 65536);
	assert_int_equal(l->wait, 120000);
	assert_true(l->on);
	assert_int_equal(l->mode, 0600);
	assert_int_equal(r->domains.count, 3);
	same(r->domains.items[0], ".example.org");
	same(r->domains.items[1], ".a.b");
	same(r->domains.items[2], "xn--bcher-kva.example");
	assert_int_equal(r->networks.count, 1);
	assert_false(((const struct one *)settings_get(file, &spf_section, SLICE_EMPTY))->enabled);
	assert_true(((const struct one *)settings_get(file, &dkim_section, SLICE_EMPTY))->enabled);
	size_t at = 0;
	const struct section_values *v = settings_next(file, &box_section, &at);
	same(v->title, "one");
	assert_int_equal(v->line, 3);
	v = settings_next(file, &box_section, &at);
	assert_ptr_equal(v->values, two);
	assert_null(settings_next(file, &box_section, &at));
	taken(f, SLICE("words = {}"));
	assert_int_equal(((const struct top *)settings_top(taken(f, SLICE("words = { }"))))->words.count, 0);
	assert_int_equal(((const struct top *)settings_top(taken(f, SLICE("words = one"))))->words.count, 1);
}

/* libconfuse expands "${X}" and loses the * of an unquoted word. */
static void test_nothing_expands(void **state)
{
	struct fixture *f = *state;
	setenv("GATEHOUSE_X", "leaked", 1);
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "name = \"${GATEHOUSE_X}\"", "${GATEHOUSE_X}" },
		{ "name = \"a${GATEHOUSE_X}b$c\\${GATEHOUSE_X}\"", "a${GATEHOUSE_X}b$c${GATEHOUSE_X}" },
		{ "name = '${GATEHOUSE_X}'", "${GATEHOUSE_X}" },
		{ "name = $GATEHOUSE_X", "$GATEHOUSE_X" },
		{ "name = *.example.org", "*.example.org" },
		{ "name = ~/x", "~/x" },
		{ "name = a//b/*c", "a//b/*c" },
		{ "name = \"# no comment // nor /* this */\"", "# no comment // nor /* this */" },
		{ "name = 'a\\nb\\'c\\\\d\"'", "a\\nb'c\\d\"" },
		{ "name = \"\\x41\\101\\n\\t\\\"\\\\\\e\\'\\x4\"", "AA\n\t\"\\\033'\x04" },
		{ "name = \"a\\x24{GATEHOUSE_X}\"", "a${GATEHOUSE_X}" },
		{ "name = \"\"", "" },
		{ "name = \"caf\\xc3\\xa9\"", "caf\xc3\xa9" },
		{ "\"name\" = include", "include" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct settings_file *file = taken(f, slice_str(cases[i].text));
		same(((const struct top *)settings_top(file))->name, cases[i].want);
		/* … and again as the workers read it. */
		file = taken(f, settings_text(file));
		same(((const struct top *)settings_top(file))->name, cases[i].want);
	}
	unsetenv("GATEHOUSE_X");
}

/* Every octet but NUL comes through libconfuse unharmed. */
static void test_all_octets(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 }, want = { 0 };
	buf_add_str(&text, "name = \"");
	for (unsigned c = 1; c < 0x80; c++) {
		buf_printf(&text, "\\x%02x", c);
		buf_add_char(&want, (char)c);
	}
	buf_add_str(&text, "\\xe2\\x82\\xac\"");
	buf_add_str(&want, "\xe2\x82\xac");
	struct settings_file *file = taken(f, buf_slice(&text));
	same(((const struct top *)settings_top(file))->name, buf_cstr(&want));
	buf_free(&text);
	buf_free(&want);
}

/* libconfuse counts each # comment twice. */
static void test_comments_and_lines(void **state)
{
	struct fixture *f = *state;
	taken(f, SLICE("# a { = \" '\n// b {\n/* c {\n\" */ name = x # d\nnumber = 5 // e\n/**/ /***/"));
	refused(f, SLICE("# one\n# two\n// three\n/* four\nfive */\n\nnumber = 99 # x\n\n  oops = 1\n"),
		"-:7: number: 99 is out of range: from -5 to 10\n-:9: unknown setting 'oops'");
	refused(f, SLICE("\xef\xbb\xbf\r\nnumber = x\r\n"), "-:2: number: 'x' is not a whole number");
	refused(f, SLICE("words = {a,\n#\nb,\n\"\\x80\"}"), "-:4: not UTF-8");
	refused(f, SLICE("relay {\ndomains = {a.b, # x\n\n-x.y,\nc..d} }"),
		"-:4: domains: '-x.y' is not a domain name\n-:5: domains: 'c..d' is not a domain name");
}

static void test_syntax(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "name = \"abc\n\"", "-:1: this string is not closed on its line" },
		{ "name = \"abc", "-:1: this string is not closed on its line" },
		{ "name = 'abc\\'", "-:1: this string is not closed on its line" },
		{ "\nname = \"abc\\", "-:2: this string is not closed on its line" },
		{ "name = \"a\\qb\"", "unknown escape" },
		{ "name = \"a\\x\"", "unknown escape" },
		{ "name = \"a\\400\"", "unknown escape" },
		{ "name = \"a\\0\"", "NUL in a string" },
		{ "name = \"a\\x00\"", "NUL in a string" },
		{ "name = \"a\001b\"", "control character in a string" },
		{ "name = a\001b", "control character" },
		{ "name = \xff", "not UTF-8" },
		{ "name = a#b", "put white space before the comment" },
		{ "name = a\"b\"", "a quote within a word" },
		{ "name = \"a\"b", "put white space behind the closing quote" },
		{ "name = \"a\"'b'", "put white space behind the closing quote" },
		{ "words += {a}", "+= is not supported" },
		{ "words+= {a}", "+= is not supported" },
		{ "name = a;", "no ; here" },
		{ "name = f(x)", "put values that hold ( or ) in quotes" },
		{ "/* open", "this comment is not closed" },
		{ "name", "expected = or { behind 'name', but here the text ends" },
		{ "name =", "expected a value, but here the text ends" },
		{ "name = }", "expected a value, found '}'" },
		{ "name = = a", "expected a value, found '='" },
		{ "}", "expected a setting or a section, found '}'" },
		{ "{ }", "expected a setting or a section, found '{'" },
		{ "= a", "expected a setting or a section, found '='" },
		{ "words = {a b}", "expected , or }, found 'b'" },
		{ "words = {,}", "expected a value or }, found ','" },
		{ "words = {a,,b}", "expected a value or }, found ','" },
		{ "words = {a, {b}}", "expected a value or }, found '{'" },
		{ "words = {a", "expected , or }, but here the text ends" },
		{ "words = {a,", "expected a value or }, but here the text ends" },
		{ "limits { count = 1", "-:1: the { of 'limits' is not closed" },
		{ "x y z { }", "expected = or { behind 'x', found 'y'" },
		{ "name = 5 minutes", "expected = or { behind 'minutes', but here the text ends" },
		{ "unknown {", "the { of 'unknown' is not closed" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refused(f, slice_str(cases[i].text), cases[i].want);
	refused(f, SLICE("name = a\0b"), "-:1: a NUL octet");
	refused(f, SLICE("# a\0b\n"), "-:1: NUL in a comment");
	refused(f, SLICE("name = \"a\0b\""), "-:1: control character in a string");
	refused(f, SLICE("/* a\0b */"), "-:1: this comment is not closed, or holds a NUL");
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "nam = x", "unknown setting 'nam': did you mean 'name'?" },
		{ "zzz = x", "unknown setting 'zzz'\n" },
		{ "domains = x", "unknown setting 'domains': it belongs in a section relay" },
		{ "enabled = on", "it belongs in a section filter spf or filter dkim" },
		{ "limits { mesage-size = 1 }",
		  "unknown setting 'mesage-size' in section limits: did you mean 'message-size'?" },
		{ "Name = x", "unknown setting 'Name': did you mean 'name'?" },
		{ "limit { }", "unknown section 'limit': did you mean 'limits'?" },
		{ "quux { a = b c d { } e = {f} }", "unknown section 'quux'\n" },
		{ "bx one { }", "unknown section 'bx': did you mean 'box'?" },
		{ "filter sfp { }", "there is no filter 'sfp': did you mean 'spf'? (known: spf, dkim)" },
		{ "filter nothing { enabled = maybe }", "there is no filter 'nothing' (known: spf, dkim)" },
		{ "filter { }", "unknown section 'filter'" },
		{ "box { }", "section box needs a name: box NAME { }" },
		{ "limits x { }", "section limits takes no name" },
		{ "box \"a b\" { }", "'a b' is no name for a section" },
		{ "box \"\" { }", "'' is no name for a section" },
		{ "name = a\nname = b", "-:2: name is already set at -:1" },
		{ "words = {a}\n\nwords = {b}", "-:3: words is already set at -:1" },
		{ "limits { count = 1\ncount = 2 }", "-:2: count is already set at -:1" },
		{ "limits { }\nlimits { }", "-:2: section limits is already at -:1" },
		{ "box a { address = *:1 }\nbox a { address = *:2 }", "-:2: section box a is already at -:1" },
		{ "filter spf { }\nfilter spf { }", "-:2: section filter spf is already at -:1" },
		{ "name = {a}", "name takes one value, not a list" },
		{ "limits { count = {1} }", "count takes one value, not a list" },
		{ "limits { relay { } }", "section 'relay' stands within section limits" },
		{ "box a { }", "-:1: box a: address is missing" },
		{ "empty { x = 1 }", "unknown setting 'x' in section empty" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice want = slice_str(cases[i].want);
		refused(f, slice_str(cases[i].text), cases[i].want);
		if (slice_ends(want, SLICE("\n"))) /* nothing follows */
			assert_non_null(strstr(errors_text(f), cases[i].want));
		assert_int_equal(f->errors.count, 1);
	}
}

static void test_bad_values(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "number = 11", "number: 11 is out of range: from -5 to 10" },
		{ "number = -6", "number: -6 is out of range" },
		{ "number = 1.5", "number: '1.5' is not a whole number" },
		{ "number = 99999999999999999999", "is not a whole number" },
		{ "number = \"\"", "number: '' is not a whole number" },
		{ "limits { count = -1 }", "count: -1 is below 0" },
		{ "limits { message-size = 1000 }", "message-size: 1000 is out of range: from 1k to 1g" },
		{ "limits { message-size = 2g }", "message-size: 2g is out of range" },
		{ "limits { message-size = big }", "message-size: 'big' is not a size" },
		{ "limits { wait = 2h }", "wait: 2h is out of range: from 100ms to 1h" },
		{ "limits { wait = soon }", "wait: 'soon' is not a time" },
		{ "limits { on = maybe }", "on: 'maybe' is not on or off" },
		{ "limits { mode = 0888 }", "mode: '0888' is not a file mode in octal" },
		{ "limits { mode = 07777 }", "mode: '07777' is not a file mode" },
		{ "box a { address = *:1 color = blue }", "color: 'blue' is not one of: red, green" },
		{ "box a { address = *:1 weight = nan }", "weight: 'nan' is not a number (5, 2.5), nor off" },
		{ "box a { address = *:1 weight = -1 }", "weight: -1 is below 0" },
		{ "box a { address = *:1 weight = 1e5 }", "weight: '1e5' is not a number" },
		{ "box a { address = here }", "address: 'here' is not an address to listen at" },
		{ "relay { networks = 10.0.0.1/8 }",
		  "networks: '10.0.0.1/8' is not an address or network (192.0.2.0/24, 2001:db8::/32): bits beyond "
		  "the prefix are set; the network is 10.0.0.0/8" },
		{ "relay { networks = {10.0.0.0/33} }", "networks: '10.0.0.0/33' is not an address or network" },
		{ "relay { domains = \"*\" }", "domains: '*' is not a domain name" },
		{ "relay { domains = {a@b} }", "domains: 'a@b' is not a domain name" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		refused(f, slice_str(cases[i].text), cases[i].want);
		assert_int_equal(f->errors.count, 1);
	}
}

/* As many errors in one go as there are; none that only follows from another. */
static void test_many_errors(void **state)
{
	struct fixture *f = *state;
	assert_null(read_text(f, SLICE("number = x\n"
				       "bogus { a = b }\n"
				       "limits { wait = y\n"
				       "  count = {2} }\n"
				       "limits { on = z }\n"
				       "box a { color = blue }\n"
				       "name = \"unclosed\n"
				       "number = never-read\n")));
	assert_string_equal(errors_text(f),
		"-:1: number: 'x' is not a whole number\n"
		"-:2: unknown section 'bogus'\n"
		"-:3: wait: 'y' is not a time (500ms, 300s, 5m, 1h, 2d)\n"
		"-:4: count takes one value, not a list\n"
		"-:5: section limits is already at -:3\n"
		"-:6: box a: address is missing\n"
		"-:6: color: 'blue' is not one of: red, green\n"
		"-:7: this string is not closed on its line (\\n stands for a line's end)\n");
	/* Cut off within a section: what it lacks may have been to come. */
	assert_null(read_text(f, SLICE("box a {\n color = red\n text = ;")));
	assert_string_equal(errors_text(f), "-:3: no ; here: white space separates settings\n");
	assert_null(read_text(f, SLICE("limits { count = x\n box")));
	assert_string_equal(errors_text(f), "-:1: count: 'x' is not a whole number\n"
					    "-:2: expected = or { behind 'box', but here the text ends\n");
}

static void test_error_flood(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 };
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "unknown-%d = 1\n", i);
	assert_null(read_text(f, buf_slice(&text)));
	assert_int_equal(f->errors.count, 101);
	assert_int_equal(f->errors.total, 5000);
	same(f->errors.list[99].message, "unknown setting 'unknown-99'");
	same(f->errors.list[100].message, "there are more errors");
	/* A list that is full already hides no failure. */
	struct config_errors full = f->errors;
	assert_null(settings_read(f->arena, SLICE("-"), SLICE("zzz = 1"), &top_section, sections, &full));
	buf_free(&text);
}

static void test_deep(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 };
	buf_add_str(&text, "limits {");
	for (int i = 0; i < 50000; i++)
		buf_add_str(&text, " a {");
	refused(f, buf_slice(&text), "-:1: section 'a' stands within section limits");
	buf_clear(&text);
	buf_add_str(&text, "words = ");
	for (int i = 0; i < 50000; i++)
		buf_add_str(&text, "{");
	refused(f, buf_slice(&text), "expected a value or }, found '{'");
	buf_clear(&text);
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "box b%d { address = *:25 }\n", i);
	refused(f, buf_slice(&text), "over 4096 sections");
	buf_free(&text);
}

static void test_long(void **state)
{
	struct fixture *f = *state;
	struct buf text = { 0 };
	buf_add_str(&text, "relay { domains = {");
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "d%d.example.org,\n", i);
	buf_add_str(&text, "} }");
	const struct relay *r = settings_get(taken(f, buf_slice(&text)), &relay_section, SLICE_EMPTY);
	assert_int_equal(r->domains.count, 10000);
	same(r->domains.items[9999], "d9999.example.org");
	buf_clear(&text);
	buf_add_str(&text, "name = \"");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&text, 'x');
	buf_add_char(&text, '"');
	assert_int_equal(((const struct top *)settings_top(taken(f, buf_slice(&text))))->name.len, 100000);
	/* What is wrong with it is said in a line that one can read. */
	buf_clear(&text);
	buf_add_str(&text, "relay { domains = {");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&text, 'x');
	buf_add_str(&text, "} }");
	refused(f, buf_slice(&text), " [...] xxx");
	assert_true(f->errors.list[0].message.len < 1100);
	buf_free(&text);
}

static void test_includes(void **state)
{
	struct fixture *f = *state;
	mkdir(path_in(f, "conf.d"), 0700);
	mkdir(path_in(f, "conf.d/more"), 0700);
	put(f, "main.conf", "# comment\ninclude \"conf.d/*.conf\"\nname = main\ninclude(\"tail\")\n"
			    "include nothing-*.conf\n");
	put(f, "conf.d/20.conf", "box twenty { address = *:20 }\n");
	put(f, "conf.d/10.conf", "box ten { address = *:10 }\ninclude 'more/x' number = 3");
	put(f, "conf.d/more/x", "limits {\n include inner }\n");
	put(f, "conf.d/more/inner", "count = 5");
	put(f, "conf.d/ignored", "rubbish");
	put(f, "tail", "words = {include, \"tail\"}");
	struct settings_file *file = read_path(f, "main.conf");
	if (file == NULL)
		fail_msg("%s", errors_text(f));
	size_t at = 0;
	same(settings_next(file, &box_section, &at)->title, "ten");
	same(settings_next(file, &box_section, &at)->title, "twenty");
	const struct top *top = settings_top(file);
	assert_int_equal(top->number, 3);
	same(top->words.items[0], "include");
	assert_int_equal(((const struct limits *)settings_get(file, &limits_section, SLICE_EMPTY))->count, 5);
}

static void test_include_errors(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "\ninclude \"folder\"\n", "main.conf:2: " },
		{ "\ninclude \"folder\"\n", "folder: is a folder: to read what is in it, write include" },
		{ "include missing", "main.conf:1: " },
		{ "include missing", "missing: No such file or directory" },
		{ "include main.conf", "main.conf: includes itself" },
		{ "include a.conf", "a.conf:2: " },
		{ "include a.conf", "main.conf: includes itself" },
		{ "include pipe", "pipe: is no regular file" },
		{ "include deep0", "include: more than 16 files deep" },
		{ "include \"\"", "main.conf:1: expected include \"path\"" },
		{ "include (a.conf", "expected include \"path\"" },
		{ "include (", "expected include \"path\"" },
		{ "include { }", "unknown section 'include'" },
		{ "include = x", "unknown setting 'include'" },
		{ "include bad.conf\nnumber = x\nalso = 1", "bad.conf:3: number: 'y' is not a whole number" },
		{ "include bad.conf\nnumber = x\nalso = 1", "main.conf:2: number is already set at " },
		{ "include bad.conf\nnumber = x\nalso = 1", "main.conf:3: unknown setting 'also'" },
	};
	mkdir(path_in(f, "folder"), 0700);
	mkfifo(path_in(f, "pipe"), 0600);
	put(f, "a.conf", "\ninclude main.conf");
	put(f, "bad.conf", "\n\nnumber = y\n");
	for (int i = 0; i < 20; i++)
		put(f, arena_printf(f->arena, "deep%d", i).data, arena_printf(f->arena, "include deep%d", i + 1).data);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put(f, "main.conf", cases[i].text);
		assert_null(read_path(f, "main.conf"));
		if (strstr(errors_text(f), cases[i].want) == NULL)
			fail_msg("no \"%s\" among: %s", cases[i].want, errors_text(f));
	}
	assert_null(read_path(f, "nowhere.conf"));
	assert_string_equal(errors_text(f), "nowhere.conf:0: No such file or directory\n");
	assert_null(read_path(f, "folder"));
}

/* The text that workers get says the same, and places errors where they were. */
static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	put(f, "main.conf", "# x\nname = \"a \\\"b\\\" \\n ${Y} caf\xc3\xa9\"\n\n\ninclude in.conf\n"
			    "box b { address =\n *:25 text = 'x'\n color = red }\n");
	put(f, "in.conf", "\nrelay { domains = {*.a.b,\n c.d} }\n");
	struct settings_file *file = read_path(f, "main.conf");
	if (file == NULL)
		fail_msg("%s", errors_text(f));
	struct slice text = settings_text(file);
	struct settings_file *again = taken(f, text);
	assert_true(slice_eq(settings_text(again), text));
	same(((const struct top *)settings_top(again))->name, "a \"b\" \n ${Y} caf\xc3\xa9");
	const struct relay *r = settings_get(again, &relay_section, SLICE_EMPTY);
	same(r->domains.items[0], ".a.b");
	const struct box *b = settings_get(again, &box_section, SLICE("b"));
	struct slice where;
	unsigned line;
	settings_where(again, b, "color", &where, &line);
	same(where, path_in(f, "main.conf"));
	assert_int_equal(line, 8);
	settings_where(again, b, "weight", &where, &line);
	assert_int_equal(line, 6);
	settings_where(again, r, "domains", &where, &line);
	same(where, path_in(f, "in.conf"));
	assert_int_equal(line, 2);
	settings_where(again, settings_get(again, &limits_section, SLICE_EMPTY), "count", &where, &line);
	assert_int_equal(line, 0);
	settings_where(again, settings_top(again), "name", &where, &line);
	assert_int_equal(line, 2);
	/* A shipped text reads no files, and only its own marks move lines. */
	struct slice bad = arena_printf(f->arena, "%.*s\ninclude \"/etc/passwd\"", SLICE_ARG(text));
	refused(f, bad, "include is not possible here");
	refused(f, SLICE("#line 77 \"elsewhere\"\nnumber = x"), "-:2: number");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_defaults), TEST(test_values), TEST(test_nothing_expands), TEST(test_all_octets),
		TEST(test_comments_and_lines), TEST(test_syntax), TEST(test_names), TEST(test_bad_values),
		TEST(test_many_errors), TEST(test_error_flood), TEST(test_deep), TEST(test_long),
		TEST(test_includes), TEST(test_include_errors), TEST(test_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
