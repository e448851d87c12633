#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "filters/filter.h"
#include "filters/registry.h"
#include "policy/config_tables.h"
#include "policy/snapshot.h"

/* What an administrator's manual shows: it must go on being read. */
static const char example[] =
	"hostname = mx.example.org\n"
	"user = gatehouse\n"
	"tls default    { certificate = \"/etc/ssl/mx.pem\"  key = \"/etc/ssl/mx.key\" }\n"
	"listen smtp    { address = 0.0.0.0:25   tls = starttls }      # tls: none | starttls | implicit\n"
	"milter main    { address = \"inet:127.0.0.1:8891\" }             # or unix:/path\n"
	"backend main   { address = 127.0.0.1:10025  client-info = xclient }   # xclient | none\n"
	"backend folder { maildir = \"/var/mail/gatehouse\" }             # a folder\n"
	"relay          { domains = {example.org, example.net}  networks = {127.0.0.0/8, \"::1/128\"} }\n"
	"dns            { forward = {127.0.0.1@53}  zone-file = \"\" }    # zone-file\n"
	"rules          { paths = {\"/etc/gatehouse/rules\"} }\n"
	"networks       { trusted = {127.0.0.0/8}  internal = {127.0.0.0/8} }\n"
	"limits         { message-size = 50mb  recipients = 100  sessions = 10000  sessions-per-client = 50"
	"  command-timeout = 300s }\n"
	"filter spf     { fail = score  softfail = score  on-error = skip  engine = native }\n"
	"policy default { tag = 5.0  reject = 12.0  quarantine = off  greylist = off }\n"
	"state          { store = \"lmdb:/var/lib/gatehouse\" }           # or redis://host:port/db\n"
	"log            { target = stderr  format = logfmt }            # stderr | syslog | journal\n";

struct fixture {
	struct arena *arena;
	struct config_errors errors, warnings;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->arena = arena_create();
	f->errors.arena = f->warnings.arena = f->arena;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_destroy(&f->arena);
	free(f);
	return 0;
}

static struct config *read_text(struct fixture *f, const char *text)
{
	f->errors = f->warnings = (struct config_errors){ .arena = f->arena };
	struct config *c = config_read(f->arena, "-", slice_str(text), filter_sections(), &f->errors);
	if (c != NULL)
		config_warnings(c, &f->warnings);
	return c;
}

static const char *lines(struct fixture *f, const struct config_errors *errors)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < errors->count; i++)
		buf_printf(&out, "%.*s:%u: %.*s\n", SLICE_ARG(errors->list[i].file), errors->list[i].line,
			   SLICE_ARG(errors->list[i].message));
	const char *text = arena_str(f->arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static struct config *taken(struct fixture *f, const char *text)
{
	struct config *c = read_text(f, text);
	if (c == NULL)
		fail_msg("refused: %s", lines(f, &f->errors));
	return c;
}

static void same(struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void check_example(const struct config *c)
{
	same(c->top->hostname, "mx.example.org");
	same(c->top->user, "gatehouse");
	assert_int_equal(c->tls_count, 1);
	same(c->tls[0].title, "default");
	same(c->tls[0].key, "/etc/ssl/mx.key");
	assert_int_equal(c->tls[0].min_version, 0x0303);
	assert_int_equal(c->listen_count, 1);
	same(c->listens[0].title, "smtp");
	assert_int_equal(c->listens[0].address.port, 25);
	assert_int_equal(c->listens[0].tls, TLS_STARTTLS);
	assert_int_equal(c->listens[0].role, ROLE_MX);
	same(c->listens[0].certificate, "default");
	same(c->milters[0].address, "inet:127.0.0.1:8891");
	assert_int_equal(c->milters[0].socket_mode, 0660);
	assert_int_equal(c->backend_count, 2);
	assert_int_equal(c->backends[0].client_info, CLIENT_INFO_XCLIENT);
	same(c->backends[1].maildir, "/var/mail/gatehouse");
	assert_ptr_equal(config_backend_find(c, SLICE("folder")), &c->backends[1]);
	assert_null(config_backend_find(c, SLICE("none")));
	assert_int_equal(c->relay->domains.count, 2);
	assert_int_equal(c->relay->networks.count, 2);
	same(c->dns->forward.items[0], "127.0.0.1@53");
	same(c->dns->zone_file, "");
	assert_int_equal(c->networks->trusted.count, 1);
	assert_int_equal(c->limits->message_size, 50 << 20);
	assert_int_equal(c->limits->command_timeout, 300000);
	assert_int_equal(c->policy_count, 1);
	assert_true(c->policies[0].tag == 5 && c->policies[0].reject == 12);
	assert_true(c->policies[0].quarantine < 0 && c->policies[0].greylist < 0);
	same(c->state->store, "lmdb:/var/lib/gatehouse");
	assert_int_equal(c->log->target, LOG_TO_STDERR);
}

static void test_example(void **state)
{
	struct fixture *f = *state;
	struct config *c = taken(f, example);
	check_example(c);
	/* What workers read is the same. */
	check_example(taken(f, arena_str(f->arena, settings_text(c->file))));
}

static void test_defaults(void **state)
{
	struct fixture *f = *state;
	char name[256];
	struct config *c = config_read(f->arena, NULL, SLICE_EMPTY, filter_sections(), &f->errors);
	assert_non_null(c);
	gethostname(name, sizeof(name));
	assert_true(slice_eq_nocase(c->top->hostname, slice_str(name)));
	assert_int_equal(c->listen_count + c->milter_count + c->backend_count + c->tls_count, 0);
	assert_int_equal(c->relay->networks.count, 0);
	assert_int_equal(c->policy_count, 1);
	same(c->policies[0].title, "default");
	assert_true(c->policies[0].tag == 5);
	assert_true(c->filter_count > 0);
	c = taken(f, "policy strict { reject = 5 recipients = {a@example.org} }");
	assert_int_equal(c->policy_count, 2);
	same(c->policies[1].title, "default");
	/* RFC 5321 4.5.3.1: what every server has to take. */
	assert_true(c->limits->recipients >= 100 && c->limits->command_line >= 512 && c->limits->text_line >= 1000);
	c = taken(f, "backend b { maildir = x } listen a { address = *:25 tls = starttls } tls only { certificate = c }");
	same(c->listens[0].certificate, "only");
	same(c->tls[0].key, "c");
}

#define B "backend b { address = 192.0.2.9:25 client-info = xclient }\n"

static void test_errors(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "hostname = \"a b\"", "-:1: hostname: 'a b' is not a domain name" },
		{ "greeting = \"a\\r\\n220 b\"", "-:1: greeting: must be one line" },
		{ "listen a { address = *:25 }", "-:1: address: a listener needs a backend" },
		{ B "listen a { address = mx.example.org:25 }", "-:2: address: 'mx.example.org:25': listening needs" },
		{ B "listen a {\n address = *:25\n backends = {b, c} }", "-:4: backends: there is no section backend c" },
		{ B "listen a { address = *:25 tls = starttls }", "-:2: tls: there is no certificate for it" },
		{ B "tls x { certificate = a } tls y { certificate = b }\nlisten a { address = *:25 tls = implicit }",
		  "-:3: tls: there is no certificate for it" },
		{ B "listen a { address = *:25 certificate = x }", "-:2: certificate: there is no section tls x" },
		{ B "listen a { address = 192.0.2.1:25 }\nlisten c { address = 192.0.2.1:25 }",
		  "-:3: address: 192.0.2.1:25 is taken by listen a already" },
		{ B "listen a { address = 192.0.2.1:25 }\nlisten c { address = *:25 }", "-:3: address: *:25 is taken" },
		{ B "listen a { address = unix:/x }\nlisten c { address = unix:/x }", "unix:/x is taken" },
		{ "backend b { address = 127.0.0.1:25 } listen a { address = *:25 }",
		  "address: is our own listen a: mail would go round in circles" },
		{ "backend b { address = unix:/x } listen a { address = unix:/x }", "mail would go round in circles" },
		{ "backend b { }", "-:1: address: a backend needs address, or maildir" },
		{ "backend b { address = *:25\n maildir = x }", "-:2: maildir: a backend has address or maildir, not both" },
		{ "backend b { maildir = x protocol = lmtp }", "protocol: lmtp needs an address" },
		{ "backend b { address = 192.0.2.1:25 tls = verified }", "tls: verified needs tls-name" },
		{ "backend b { address = host:25 transparent = on }", "transparent: needs an IP address" },
		{ "backend b { address = host:25 tls-fingerprints = {ab} }", "tls-fingerprints: expected SHA-256" },
		{ "backend b { address = host:25 domains = {192.0.2.1} }", "domains: '192.0.2.1' is an address" },
		{ "relay { domains = {192.0.2.1} }", "domains: '192.0.2.1' is an address, not a domain" },
		{ "relay { literals = {192.0.2.1} }", "literals: '192.0.2.1' is not an address literal" },
		{ "tls a { certificate = '' }", "certificate: is empty" },
		{ "tls a { }", "tls a: certificate is missing" },
		{ "tls a { certificate = x client-fingerprints = {zz} }", "client-fingerprints: expected SHA-256" },
		{ "milter m { address = 127.0.0.1:8891 }", "address: expected inet:127.0.0.1:8891" },
		{ "milter m { address = \"inet:x@localhost\" }", "address: expected inet:" },
		{ "milter m { address = unix:x }", "address: expected inet:" },
		{ "milter m { address = inet:1@127.0.0.1 }\nmilter n { address = inet:1@127.0.0.1 }", "-:2: address: is taken by another" },
		{ "policy p { listeners = {a} }", "listeners: there is no section listen or milter a" },
		{ "dns { forward = {example.org} }", "forward: 'example.org' is not address or address@port" },
		{ "dns { forward = {127.0.0.1@0} }", "forward: '127.0.0.1@0' is not" },
		{ "state { store = mysql:x }", "store: 'mysql:x' is not lmdb:FOLDER" },
		{ "state { store = \"lmdb:\" }", "store: 'lmdb:' is not" },
		{ "state { store = \"redis://host\" }", "store: 'redis://host' is not" },
		{ "state { store = \"redis://host:6379/x\" }", "is not lmdb:FOLDER" },
		{ "filter spf { on-error = maybe }", "on-error: 'maybe' is not one of: skip, defer" },
		{ "filter nosuch { }", "there is no filter 'nosuch'" },
		{ "filter relay { enabled = off }", "unknown setting 'enabled' in section filter relay" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (read_text(f, cases[i].text) != NULL)
			fail_msg("taken: %s", cases[i].text);
		if (strstr(lines(f, &f->errors), cases[i].want) == NULL)
			fail_msg("no \"%s\" among: %s", cases[i].want, lines(f, &f->errors));
		assert_int_equal(f->errors.count, 1);
	}
}

static void test_taken(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {
		B "listen a { address = 192.0.2.1:25 } listen b { address = 192.0.2.2:25 } listen c { address = [::]:25 }",
		"backend b { address = 192.0.2.9:25 } listen a { address = 192.0.2.1:25 }",
		"backend b { address = 192.0.2.1:26 } listen a { address = 192.0.2.1:25 }",
		"hostname = \"[192.0.2.1]\"",
		"milter m { address = \"inet:8891@127.0.0.1\" } milter n { address = local:/x } milter o { address = inet6:8891@::1 }",
		"state { store = \"redis://localhost:6379/3\" }", "state { store = \"redis://[::1]:6379\" }",
		"state { store = \"redis://user:secret@localhost:6379/0\" }", "state { store = \"memory:\" }",
		"dns { forward = {\"2001:db8::1@5353\", 192.0.2.1} }",
		"policy p { listeners = {m} } milter m { address = inet:1@127.0.0.1 }",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		taken(f, texts[i]);
	struct config *c = taken(f, "relay { literals = {\"[192.0.2.1]\", \"[IPv6:2001:DB8::1]\"} }\n"
				    "tls a { certificate = x client-fingerprints = {"
				    "\"AB:CD:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:"
				    "AA:BB:CC:DD\"} }");
	same(c->relay->literals.items[1], "[ipv6:2001:db8::1]");
	same(c->tls[0].client_fingerprints.items[0],
	     "abcd00112233445566778899aabbccddeeff00112233445566778899aabbccdd");
}

#define SAFE "hostname = mx.example.org user = nobody relay { domains = {example.org} }\n"

static void test_warnings(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *want; /* NULL: none */
	} cases[] = {
		{ SAFE B "listen a { address = *:25 }", NULL },
		{ SAFE, "neither a listen nor a milter section" },
		{ "hostname = mx user = nobody " B "listen a { address = *:25 } relay { domains = {a.b} }",
		  "-:1: hostname 'mx' has no domain" },
		{ "hostname = m.x user = nobody " B "listen a { address = *:25 }", "relay.domains is empty" },
		{ SAFE "listen a { address = *:25 } backend b { address = 192.0.2.9:25 }",
		  "-:2: backend b takes us for the client" },
		{ SAFE "listen a { address = *:25 }\nbackend b {\n address = 192.0.2.9:25\n client-info = xforward }",
		  "-:5: backend b takes us for the client" },
		{ SAFE "listen a { address = *:25 } backend b { address = 192.0.2.9:25 client-info = proxy-v2 }", NULL },
		{ SAFE "listen a { address = *:25 } backend b { maildir = x }", NULL },
		{ "hostname = m.x user = nobody " B "listen a { address = *:25 }\n"
		  "relay { domains = {a.b}\n networks = {0.0.0.0/0} }",
		  "-:4: networks: 0.0.0.0/0 lets strangers send to anybody: an open relay" },
		{ "hostname = m.x user = nobody " B "listen a { address = *:25 } relay { domains = {a.b} networks = \"::/0\" }",
		  "networks: ::/0 lets strangers" },
		{ "hostname = m.x user = nobody " B "listen a { address = *:25 } relay { domains = {a.b, *.com} }",
		  "domains: .com takes mail for a whole top-level domain" },
		{ SAFE B "listen a { address = *:25 } networks { trusted = {10.0.0.0/8} internal = {10.1.0.0/16, 172.16.0.0/12} }",
		  "internal: 172.16.0.0/12 is not among the trusted networks" },
		{ SAFE B "listen a { address = *:587 role = submission }", "without tls nobody can log in" },
		{ SAFE B "listen a { address = *:587 role = submission auth-without-tls = on }",
		  "passwords may cross the network in clear" },
		{ SAFE B "listen a { address = *:25 proxy-from = {0.0.0.0/0} }", "lets strangers claim any client address" },
		{ SAFE B "listen a { address = *:25 } policy default { tag = 8 reject = 5 }", "reject (5) is below tag (8)" },
		{ SAFE B "listen a { address = *:25 } policy default { tag = 8 reject = off }", NULL },
		{ SAFE B "listen a { address = *:25 } policy p { tag = 8 }", "policy p names nobody: it is for all mail" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		taken(f, cases[i].text);
		const char *got = lines(f, &f->warnings);
		if (cases[i].want == NULL && f->warnings.count > 0)
			fail_msg("%s\nwarns: %s", cases[i].text, got);
		if (cases[i].want != NULL && (f->warnings.count != 1 || strstr(got, cases[i].want) == NULL))
			fail_msg("%s\nno \"%s\", or more than it: %s", cases[i].text, cases[i].want, got);
	}
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	struct config *c = taken(f, "tls a { certificate = \"/nonexistent/c\" }\n"
				    "tls b { certificate = /dev/null\n key = \"/dev/null/k\" }\n"
				    "backend b { address = h:25 tls-ca = /nonexistent/ca }\n"
				    "dns { zone-file = /nonexistent/z }\n"
				    "rules { paths = {/dev/null,\n /nonexistent/r} }\n");
	config_check_files(c, &f->errors);
	assert_string_equal(lines(f, &f->errors), "-:1: certificate: /nonexistent/c: No such file or directory\n"
						  "-:3: key: /dev/null/k: Not a directory\n"
						  "-:4: tls-ca: /nonexistent/ca: No such file or directory\n"
						  "-:5: zone-file: /nonexistent/z: No such file or directory\n"
						  "-:6: paths: /nonexistent/r: No such file or directory\n");
}

/* Each default is what its own table takes, and lies within its own bounds. */
static void check_tables(struct arena *arena, const struct section *section)
{
	settings_defaults(arena, section); /* a bad default ends the process */
	for (const struct setting *s = section->settings; s != NULL && s->name != NULL; s++) {
		assert_non_null(s->help);
		assert_true(s->offset < section->size);
		assert_false(slice_ends(slice_str(s->help), SLICE(".")));
		assert_true(s->type != SETTING_ENUM || s->values != NULL);
		for (const struct setting *t = section->settings; t < s; t++)
			assert_string_not_equal(s->name, t->name);
	}
}

static void test_tables(void **state)
{
	struct fixture *f = *state;
	check_tables(f->arena, &config_top_section);
	for (size_t i = 0; config_sections[i] != NULL; i++)
		check_tables(f->arena, config_sections[i]);
	for (const struct section *const *s = filter_sections(); *s != NULL; s++)
		check_tables(f->arena, *s);
}

static void must_document(const char *page, const struct section *section)
{
	const char *at = page;
	char text[128];
	if (*section->name != '\0') {
		snprintf(text, sizeof(text), "\n.Ss %s%s { }\n", section->name, section->titled ? " NAME" : "");
		at = strstr(page, text);
		if (at == NULL)
			fail_msg("section %s is not in the manual", section->name);
	}
	for (const struct setting *s = section->settings; s != NULL && s->name != NULL; s++) {
		snprintf(text, sizeof(text), "\n.It Ic %s No = Ar ", s->name);
		if (strstr(at, text) == NULL)
			fail_msg("%s of %s is not in the manual", s->name, section->name);
	}
}

static void test_reference(void **state)
{
	struct fixture *f = *state;
	char *page;
	size_t size;
	FILE *out = open_memstream(&page, &size);
	(void)f;
	config_print_reference(out, filter_sections());
	fclose(out);
	must_document(page, &config_top_section);
	for (size_t i = 0; config_sections[i] != NULL; i++)
		must_document(page, config_sections[i]);
	for (const struct section *const *s = filter_sections(); *s != NULL; s++)
		must_document(page, *s);
	assert_non_null(strstr(page, ".Ql \"300s\" .\nFrom 100ms to 1d.\n"));
	free(page);
}

/* Filters of the test's own. */
struct plain_values {
	struct filter_common common;
	int64_t depth;
};
static const struct setting plain_settings[] = {
	{ "depth", SETTING_INT, offsetof(struct plain_values, depth), .fallback = "3", .help = "x" },
	{ 0 },
};
static const struct setting shy_settings[] = {
	{ "enabled", SETTING_BOOL, offsetof(struct filter_common, enabled), .fallback = "off", .help = "x" },
	{ 0 },
};
static const struct filter plain = { .name = "plain", .settings = plain_settings,
				     .settings_size = sizeof(struct plain_values) };
static const struct filter bare = { .name = "bare" };
static const struct filter shy = { .name = "shy", .settings = shy_settings,
				   .settings_size = sizeof(struct filter_common) };
static const struct filter fixed = { .name = "fixed", .always = true };
static const struct filter *const table[] = { &plain, &bare, &shy, &fixed, NULL };

static void test_filters(void **state)
{
	struct fixture *f = *state;
	const struct section *const *s = filter_sections_of(f->arena, table);
	struct config *c = config_read(f->arena, "-", SLICE("filter plain { shadow = on depth = 5 on-error = defer }"
							    "filter bare { enabled = off }"), s, &f->errors);
	if (c == NULL)
		fail_msg("%s", lines(f, &f->errors));
	assert_int_equal(c->filter_count, 4);
	const struct plain_values *p = c->filters[0].values;
	same(c->filters[0].name, "plain");
	assert_true(p->common.enabled && p->common.shadow && p->depth == 5);
	assert_int_equal(p->common.on_error, ON_ERROR_DEFER);
	const struct filter_common *b = c->filters[1].values, *y = c->filters[2].values, *x = c->filters[3].values;
	assert_false(b->enabled);
	assert_false(y->enabled); /* its own default */
	assert_int_equal(x->on_error, ON_ERROR_SKIP);
}

static void mark(void *arg)
{
	*(bool *)arg = true;
}

static void test_snapshot(void **state)
{
	(void)state;
	bool gone = false;
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	const struct section *const *s = filter_sections_of(arena, table);
	struct config *c = config_read(arena, "-", SLICE("filter plain { depth = 9 }"), s, &errors);
	arena_on_reset(arena, mark, &gone);
	struct snapshot *first = snapshot_create(c, NULL, 4), *second = snapshot_retain(first);
	assert_int_equal(first->generation, 4);
	assert_ptr_equal(first, second);
	const struct plain_values *p = snapshot_filter(first, "plain");
	assert_int_equal(p->depth, 9);
	assert_non_null(snapshot_filter(first, "bare"));
	assert_null(snapshot_filter(first, "nosuch"));
	assert_true(snapshot_score(first, "SPF_FAIL", 2.5) == 2.5);
	snapshot_release(&first);
	assert_null(first);
	assert_false(gone);
	snapshot_release(&second);
	assert_true(gone);
	snapshot_release(&second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_example), TEST(test_defaults), TEST(test_errors), TEST(test_taken),
		TEST(test_warnings), TEST(test_files), TEST(test_tables), TEST(test_reference), TEST(test_filters),
		TEST(test_snapshot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
