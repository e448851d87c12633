#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "filters/dmarc_record.h"

#define UNSET DMARC_POLICY_UNSET
#define NONE DMARC_POLICY_NONE
#define QUARANTINE DMARC_POLICY_QUARANTINE
#define REJECT DMARC_POLICY_REJECT

/* RFC 9989 4.7 and 4.8: which texts are records, and what their tags come to. */
static const struct {
	const char *txt;
	bool is_record;
	enum dmarc_policy p, sp, np;
	bool strict_dkim, strict_spf, testing;
	enum dmarc_psd psd;
	bool has_rua;
} records[] = {
	{ .txt = "v=DMARC1; p=reject", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1;p=reject;", .is_record = true, .p = REJECT },
	{ .txt = "v = DMARC1 ; p = quarantine ;; sp=none", .is_record = true, .p = QUARANTINE, .sp = NONE },
	{ .txt = "V=DMARC1; P=Reject", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1", .is_record = true },
	{ .txt = "v=DMARC1;", .is_record = true },
	{ .txt = "v=DMARC1; rua=mailto:a@example.org; p=none",
	  .is_record = true,
	  .p = NONE,
	  .has_rua = true },
	{ .txt = "v=DMARC1; p=none; sp=quarantine; np=reject",
	  .is_record = true,
	  .p = NONE,
	  .sp = QUARANTINE,
	  .np = REJECT },
	{ .txt = "v=DMARC1; p=reject; adkim=s; aspf=s; t=y; psd=n",
	  .is_record = true,
	  .p = REJECT,
	  .strict_dkim = true,
	  .strict_spf = true,
	  .testing = true,
	  .psd = DMARC_PSD_NO },
	{ .txt = "v=DMARC1; p=reject; adkim=x; aspf=; t=maybe; psd=z", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1; p=reject; psd=y", .is_record = true, .p = REJECT, .psd = DMARC_PSD_YES },
	{ .txt = "v=DMARC1; p=reject; psd=u", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1; p=reject; p=none", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1; p=bogus; p=none", .is_record = true, .p = UNSET },
	{ .txt = "v=DMARC1; p=reject; v=DMARC2", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1; foo; bar=baz; p=reject; =x", .is_record = true, .p = REJECT },
	{ .txt = "v=DMARC1; p:reject", .is_record = true },
	{ .txt = "v=DMARC1; p=rejected", .is_record = true },
	{ .txt = "v=DMARC1; p=reject sp=none", .is_record = true },
	{ .txt = "v=DMARC1; p=none; rua=https://example.org/dmarc",
	  .is_record = true,
	  .p = NONE,
	  .has_rua = true },
	{ .txt = "v=DMARC1; rua=mailto:a@example.org!10m", .is_record = true, .has_rua = true },
	{ .txt = "v=DMARC1; rua=nonsense, mailto:a@example.org", .is_record = true, .has_rua = true },
	{ .txt = "v=DMARC1; rua=mailto:", .is_record = true },
	{ .txt = "v=DMARC1; rua=mailto:nobody", .is_record = true },
	{ .txt = "v=DMARC1; rua=a@example.org", .is_record = true },
	{ .txt = "v=DMARC1; rua=1x:y", .is_record = true },
	{ .txt = "v=DMARC1; rua=mailto:a b@example.org", .is_record = true },
	{ .txt = "v=dmarc1; p=reject" },
	{ .txt = " v=DMARC1; p=reject" },
	{ .txt = "p=reject; v=DMARC1" },
	{ .txt = "v=DMARC10; p=reject" },
	{ .txt = "v=DMARC1 p=reject" },
	{ .txt = "v=DMARC1, p=reject" },
	{ .txt = "vDMARC1; p=reject" },
	{ .txt = "vv=DMARC1; p=reject" },
	{ .txt = "v=spf1 -all" },
	{ .txt = "" },
	{ .txt = ";" },
	{ .txt = "=" },
};

static void test_parse(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct dmarc_record r;
		bool is_record = dmarc_record_parse(slice_str(records[i].txt), &r);
		bool same = is_record == records[i].is_record &&
			    (!is_record ||
			     (r.p == records[i].p && r.sp == records[i].sp && r.np == records[i].np &&
			      r.strict_dkim == records[i].strict_dkim &&
			      r.strict_spf == records[i].strict_spf && r.testing == records[i].testing &&
			      r.psd == records[i].psd && r.has_rua == records[i].has_rua));
		if (!same) {
			print_error("\"%s\"\n", records[i].txt);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static void test_nul(void **state)
{
	(void)state;
	struct dmarc_record r;
	assert_false(dmarc_record_parse(SLICE("v=DMARC1\0; p=reject"), &r));
	assert_true(dmarc_record_parse(SLICE("v=DMARC1; p=reject\0"), &r));
	assert_int_equal(r.p, UNSET);
	assert_true(r.bad_p);
}

/* RFC 9989 4.7, 4.10.1: what is applied of a record with faults. */
static const struct {
	const char *txt;
	bool applied;
	enum dmarc_policy own, subdomain, nonexistent;
} settled[] = {
	{ "v=DMARC1; p=reject", true, REJECT, REJECT, REJECT },
	{ "v=DMARC1; p=reject; sp=quarantine", true, REJECT, QUARANTINE, QUARANTINE },
	{ "v=DMARC1; p=none; sp=quarantine; np=reject", true, NONE, QUARANTINE, REJECT },
	{ "v=DMARC1; p=reject; np=none", true, REJECT, REJECT, NONE },
	{ "v=DMARC1", true, NONE, NONE, NONE },
	{ "v=DMARC1; sp=reject", true, NONE, REJECT, REJECT },
	{ "v=DMARC1; rua=mailto:a@example.org", true, NONE, NONE, NONE },
	{ "v=DMARC1; p=bogus; rua=mailto:a@example.org", true, NONE, NONE, NONE },
	{ "v=DMARC1; p=bogus; sp=reject; rua=mailto:a@example.org", true, NONE, NONE, NONE },
	{ "v=DMARC1; p=reject; sp=bogus; rua=mailto:a@example.org", true, NONE, NONE, NONE },
	{ "v=DMARC1; p=reject; np=bogus; rua=mailto:a@example.org", true, NONE, NONE, NONE },
	{ "v=DMARC1; p=bogus", false, UNSET, UNSET, UNSET },
	{ "v=DMARC1; p=bogus; rua=not a uri", false, UNSET, UNSET, UNSET },
	{ "v=DMARC1; p=reject; sp=bogus", false, UNSET, UNSET, UNSET },
	{ "v=DMARC1; p=reject; np=", false, UNSET, UNSET, UNSET },
};

static void test_settle(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(settled) / sizeof(settled[0]); i++) {
		struct dmarc_record r;
		const char *why = NULL;
		assert_true(dmarc_record_parse(slice_str(settled[i].txt), &r));
		bool applied = dmarc_record_settle(&r, &why);
		bool same =
		    applied == settled[i].applied && applied == (why == NULL) &&
		    (!applied || (dmarc_record_policy(&r, DMARC_OWN) == settled[i].own &&
				  dmarc_record_policy(&r, DMARC_SUBDOMAIN) == settled[i].subdomain &&
				  dmarc_record_policy(&r, DMARC_NONEXISTENT) == settled[i].nonexistent));
		if (!same) {
			print_error("\"%s\"\n", settled[i].txt);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
	assert_int_equal(dmarc_policy_lower(REJECT), QUARANTINE);
	assert_int_equal(dmarc_policy_lower(QUARANTINE), NONE);
	assert_int_equal(dmarc_policy_lower(NONE), NONE);
}

static void test_percent(void **state)
{
	(void)state;
	static const struct {
		const char *txt;
		unsigned percent;
	} cases[] = {
		{ "v=DMARC1; p=reject", 100 },	       { "v=DMARC1; p=reject; pct=0", 0 },
		{ "v=DMARC1; pct=50; p=reject", 50 },  { "v=DMARC1; p=reject; pct=101", 100 },
		{ "v=DMARC1; p=reject; pct=-1", 100 }, { "v=DMARC1; p=reject; pct=", 100 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_record r;
		assert_true(dmarc_record_parse(slice_str(cases[i].txt), &r));
		assert_int_equal(r.percent, cases[i].percent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_nul), cmocka_unit_test(test_settle),
		cmocka_unit_test(test_percent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
