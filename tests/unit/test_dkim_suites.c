/*
 * Public suites of signed mail, by both engines. A count line for each; a case
 * that isn't as its name says is listed with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/zonefile.h"
#include "filters/dkim.h"
#include "filters/scan.h"
#include "message/canonical.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/shared.h"
#include "tests/lib/zone_driver.h"

#define PERL "dkim/perl-Mail-DKIM/t"
#define NOW 1700000000

static struct dkim_settings settings_default(int engine)
{
	return (struct dkim_settings){
		.common = { .enabled = true }, .engine = engine, .max_signatures = 8, .min_key_bits = 1024,
		.partial_body = true, .clock_drift = 300000,
	};
}

static struct scan *scan_mail(struct arena *arena, struct slice file, const struct zone *zone, int64_t now,
			      const struct dkim_settings *settings)
{
	struct filter_choice choice = { &dkim_filter, settings };
	struct scan *scan = one_filter_scan(arena, &choice, 1, now);
	one_filter_message(scan, message_canonical(arena, file).bytes, 61, zone);
	return scan;
}

static void add_txt(struct buf *out, struct slice name, struct slice value)
{
	buf_printf(out, "%.*s. TXT \"", SLICE_ARG(name));
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '"' || value.data[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, value.data[i]);
	}
	buf_add_str(out, "\"\n");
}

/* "name  value", "name NXDOMAIN", "name ~~SERVFAIL~~", "name ~~Query timed out~~" */
static void add_fake_dns(struct buf *out, struct slice file)
{
	struct slice line;
	while (slice_split(&file, '\n', &line)) {
		size_t space = slice_chr(line, ' ');
		if (line.len == 0 || line.data[0] == '#' || space == SLICE_NPOS)
			continue;
		struct slice name = slice_head(line, space), value = slice_trim(slice_from(line, space));
		if (slice_eq(value, SLICE("NXDOMAIN")))
			buf_printf(out, ";! %.*s NXDOMAIN\n", SLICE_ARG(name));
		else if (slice_starts(value, SLICE("~~")))
			buf_printf(out, ";! %.*s %s\n", SLICE_ARG(name),
				   slice_find(value, SLICE("timed")) != SLICE_NPOS ? "TIMEOUT" : "SERVFAIL");
		else
			add_txt(out, name, slice_eq(value, SLICE("\"\"")) ? SLICE_EMPTY : value);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list_folder(struct arena *arena, const char *folder, char **names, size_t max)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	DIR *dir = opendir(arena_printf(arena, "%s/data/%s", top ? top : "../shared", folder).data);
	size_t count = 0;
	struct dirent *entry;
	while (dir != NULL && count < max && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			names[count++] = arena_str(arena, slice_str(entry->d_name));
	if (dir != NULL)
		closedir(dir);
	qsort(names, count, sizeof(*names), by_name);
	return count;
}

struct tally {
	size_t cases, as_named;
};

static bool passes(const struct scan *scan)
{
	for (size_t i = 0; i < scan->facts.dkim_count; i++)
		if (scan->facts.dkim[i].result == AUTH_PASS)
			return true;
	return false;
}

static const struct dkim_fact *first(const struct scan *scan)
{
	assert_true(scan->facts.dkim_known);
	assert_true(scan->facts.dkim_count > 0);
	return &scan->facts.dkim[0];
}

static struct zone *perl_zone(struct arena *arena)
{
	struct buf text = { 0 };
	add_fake_dns(&text, shared_file(arena, PERL "/FAKE_DNS.dat"));
	struct zone *zone = zone_of(buf_cstr(&text));
	buf_free(&text);
	return zone;
}

/* What may keep a mail from passing that its name calls good: RFC 8301, and
 * drafts of 2005 to 2007 that RFC 6376 does not know. */
static const char *const lawful[] = {
	"rsa-sha1 is no longer accepted", "key too short", "v= is missing", "bh= is missing",
	"not verifiable by this engine",
};

static bool is_lawful(struct slice reason)
{
	for (size_t i = 0; i < sizeof(lawful) / sizeof(lawful[0]); i++)
		if (slice_eq(reason, slice_str(lawful[i])))
			return true;
	return false;
}

static void judge_perl(const char *name, const struct scan *scan, struct tally *tally)
{
	bool good = strncmp(name, "good", 4) == 0, pass = passes(scan);
	tally->cases++;
	if (good == pass) {
		tally->as_named++;
		return;
	}
	const struct dkim_fact *f = first(scan);
	printf("# not as named: %s: %s: %.*s\n", name, auth_result_name(f->result), SLICE_ARG(f->reason));
	if (good && !is_lawful(f->reason))
		fail_msg("%s: %.*s", name, SLICE_ARG(f->reason));
	if (!good)
		fail_msg("%s passes", name);
}

/* The names without a verdict in them. */
static bool has_verdict(const char *name)
{
	static const char *const prefixes[] = { "good", "bad", "ignore" };
	for (size_t i = 0; i < 3; i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return strstr(name, "_dk_") == NULL;
	return false;
}

static void run_perl(const struct dkim_settings *settings, const char *title, size_t least)
{
	struct arena *arena = arena_create();
	char *names[200];
	size_t count = list_folder(arena, PERL "/corpus", names, 200);
	struct tally tally = { 0, 0 };
	struct zone *zone = count ? perl_zone(arena) : NULL;
	for (size_t i = 0; i < count; i++) {
		if (!has_verdict(names[i]))
			continue;
		struct slice file = shared_file(arena, arena_printf(arena, PERL "/corpus/%s", names[i]).data);
		judge_perl(names[i], scan_mail(arena, file, zone, NOW, settings), &tally);
	}
	if (zone != NULL)
		zone_destroy(&zone);
	arena_destroy(&arena);
	if (count == 0)
		skip();
	printf("# count %s: %zu of %zu as named\n", title, tally.as_named, tally.cases);
	assert_true(tally.as_named >= least);
}

static void test_perl_native(void **state)
{
	(void)state;
	struct dkim_settings settings = settings_default(DKIM_ENGINE_NATIVE);
	run_perl(&settings, "perl-Mail-DKIM, native", 34);
}

static void test_perl_legacy_native(void **state)
{
	(void)state;
	struct dkim_settings settings = settings_default(DKIM_ENGINE_NATIVE);
	settings.sha1 = true;
	settings.min_key_bits = 512;
	settings.obsolete = true;
	run_perl(&settings, "perl-Mail-DKIM with all that is obsolete, native", 47);
}

static void test_perl_opendkim(void **state)
{
	(void)state;
	struct dkim_settings settings = settings_default(DKIM_ENGINE_OPENDKIM);
	run_perl(&settings, "perl-Mail-DKIM, libopendkim", 34);
}

static void test_perl_legacy_opendkim(void **state)
{
	(void)state;
	struct dkim_settings settings = settings_default(DKIM_ENGINE_OPENDKIM);
	settings.sha1 = true;
	settings.min_key_bits = 512;
	settings.obsolete = true;
	run_perl(&settings, "perl-Mail-DKIM with all that is obsolete, libopendkim", 45);
}

/* Reasons of single mails, so that "not pass" is for the right cause. */
static const struct reason_case {
	const char *name;
	size_t signature;
	enum auth_result result;
	const char *reason;
} reasons[] = {
	{ "bad_1878954.txt", 0, AUTH_FAIL, "body hash did not verify" },
	{ "badkey1_ed25519.txt", 0, AUTH_PERMERROR, "key is unusable" },
	{ "badkey2_ed25519.txt", 0, AUTH_FAIL, "signature did not verify" },
	{ "badkey3_ed25519.txt", 0, AUTH_FAIL, "body hash did not verify" },
	{ "badkey4_ed25519.txt", 0, AUTH_PERMERROR, "no key for the signature" },
	{ "badkey5_ed25519.txt", 0, AUTH_PERMERROR, "key record is malformed" },
	{ "badkey_10.txt", 0, AUTH_PERMERROR, "i= is a subdomain, which the key forbids (t=s)" },
	{ "badkey_11.txt", 0, AUTH_PERMERROR, "key not for this hash (h=)" },
	{ "badkey_14.txt", 0, AUTH_TEMPERROR, "key look-up failed for now" },
	{ "badkey_15.txt", 0, AUTH_TEMPERROR, "key look-up failed for now" },
	{ "ignore_5.txt", 0, AUTH_PERMERROR, "q= names no known query method" },
	{ "ignore_6.txt", 0, AUTH_PERMERROR, "q= names no known query method" },
	{ "ignore_7.txt", 0, AUTH_PERMERROR, "signature expired" },
	{ "ignore_8.txt", 0, AUTH_PERMERROR, "i= is not within d=" },
	{ "multiple_2.txt", 0, AUTH_PERMERROR, "c= names an unknown canonicalisation" },
	{ "multiple_2.txt", 1, AUTH_PASS, "" },
	{ "multiple_2.txt", 2, AUTH_FAIL, "signature did not verify" },
	{ "multiple_2.txt", 3, AUTH_PERMERROR, "a tag has no \"=\"" },
};

static void test_perl_reasons(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct dkim_settings settings = settings_default(DKIM_ENGINE_NATIVE);
	settings.sha1 = true;
	settings.min_key_bits = 512;
	bool there = shared_file(arena, PERL "/FAKE_DNS.dat").data != NULL;
	struct zone *zone = there ? perl_zone(arena) : NULL;
	for (size_t i = 0; there && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const struct reason_case *c = &reasons[i];
		struct slice file = shared_file(arena, arena_printf(arena, PERL "/corpus/%s", c->name).data);
		struct scan *scan = scan_mail(arena, file, zone, NOW, &settings);
		assert_true(scan->facts.dkim_count > c->signature);
		const struct dkim_fact *f = &scan->facts.dkim[c->signature];
		if (f->result != c->result || !slice_eq(f->reason, slice_str(c->reason)))
			fail_msg("%s: %s: %.*s", c->name, auth_result_name(f->result), SLICE_ARG(f->reason));
	}
	if (zone != NULL)
		zone_destroy(&zone);
	arena_destroy(&arena);
	if (!there)
		skip();
}

/* Mails of dkimpy and blaze, with the records that come with them. */
#define DKIMPY "dkim/dkimpy/dkim/tests/data"
#define BLAZE "dkim/blaze/test"
static const struct {
	const char *name, *file; /* of a TXT record */
} records[] = {
	{ "brisbane._domainkey.football.example.com", BLAZE "/cache/brisbane._domainkey.football.example.com.dns" },
	{ "test._domainkey.football.example.com", DKIMPY "/test.txt" },
	{ "sed._domainkey.test.ex", DKIMPY "/eximtest.dns" },
	{ "s20150108._domainkey.github.com", BLAZE "/cache/s20150108._domainkey.github.com.dns" },
	{ "smtpapi._domainkey.sendgrid.info", BLAZE "/cache/smtpapi._domainkey.sendgrid.info.dns" },
	{ "pf2014._domainkey.github.com", BLAZE "/cache/pf2014._domainkey.github.com.dns" },
	{ "google._domainkey.janestreet.com", BLAZE "/cache/google._domainkey.janestreet.com.dns" },
	{ "sjc2._domainkey.discoursemail.com", BLAZE "/cache/sjc2._domainkey.discoursemail.com.dns" },
};

static const struct {
	const char *file;
	size_t count;
	enum auth_result results[2];
	bool needs_sha1;
} mails[] = {
	{ DKIMPY "/rfc6376.signed.msg", 2, { AUTH_PASS, AUTH_PASS }, false },
	{ DKIMPY "/rfc6376.signed.rsa.msg", 1, { AUTH_PASS }, false },
	{ DKIMPY "/rfc6376.signed.no_t.msg", 1, { AUTH_FAIL }, false }, /* b= of another signature */
	{ DKIMPY "/ed25519test2.msg", 1, { AUTH_PASS }, false },
	{ DKIMPY "/test.message.baddomain", 1, { AUTH_PERMERROR }, false },
	{ DKIMPY "/test2.message", 1, { AUTH_PERMERROR }, false }, /* its key is not among the data */
	{ DKIMPY "/rfc6376.msg", 0, { AUTH_NONE }, false },
	{ BLAZE "/001.mail", 2, { AUTH_PERMERROR, AUTH_PERMERROR }, false },
	{ BLAZE "/001.mail", 2, { AUTH_PASS, AUTH_PASS }, true },
	{ BLAZE "/002.mail", 1, { AUTH_PASS }, false },
	{ BLAZE "/003.mail", 1, { AUTH_PASS }, false },
	{ BLAZE "/004.mail", 1, { AUTH_PASS }, false },
};

static struct zone *records_zone(struct arena *arena)
{
	struct buf text = { 0 };
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct slice value = slice_trim(shared_file(arena, records[i].file));
		if (slice_starts(value, SLICE("txt:")))
			value = slice_from(value, 4);
		add_txt(&text, slice_str(records[i].name), value);
	}
	struct zone *zone = zone_of(buf_cstr(&text));
	buf_free(&text);
	return zone;
}

static size_t run_mail(struct arena *arena, const struct zone *zone, size_t i, int engine)
{
	struct dkim_settings settings = settings_default(engine);
	settings.sha1 = mails[i].needs_sha1;
	struct scan *scan = scan_mail(arena, shared_file(arena, mails[i].file), zone, NOW, &settings);
	bool ok = scan->facts.dkim_count == mails[i].count;
	for (size_t j = 0; ok && j < mails[i].count; j++)
		ok = scan->facts.dkim[j].result == mails[i].results[j];
	if (!ok)
		fail_msg("%s: %s: %.*s", mails[i].file, auth_result_name(first(scan)->result),
			 SLICE_ARG(first(scan)->reason));
	return ok;
}

static void run_mails(int engine, const char *title)
{
	struct arena *arena = arena_create();
	bool there = shared_file(arena, records[0].file).data != NULL;
	struct zone *zone = there ? records_zone(arena) : NULL;
	size_t ok = 0, all = sizeof(mails) / sizeof(mails[0]);
	for (size_t i = 0; there && i < all; i++)
		ok += run_mail(arena, zone, i, engine);
	if (there)
		printf("# count dkimpy and blaze, %s: %zu of %zu\n", title, ok, all);
	if (zone != NULL)
		zone_destroy(&zone);
	arena_destroy(&arena);
	if (!there)
		skip();
}

static void test_mails_native(void **state)
{
	(void)state;
	run_mails(DKIM_ENGINE_NATIVE, "native");
}

static void test_mails_opendkim(void **state)
{
	(void)state;
	run_mails(DKIM_ENGINE_OPENDKIM, "libopendkim");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_perl_native),
		cmocka_unit_test(test_perl_legacy_native),
		cmocka_unit_test(test_perl_opendkim),
		cmocka_unit_test(test_perl_legacy_opendkim),
		cmocka_unit_test(test_perl_reasons),
		cmocka_unit_test(test_mails_native),
		cmocka_unit_test(test_mails_opendkim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
