/* A macro-string, and values behind its first NUL. */
#include <stdlib.h>

#include "filters/spf_macro.h"
#include "message/question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
	if (!condition)
		abort();
}

static void check_domain(struct arena *arena, struct slice text, const struct spf_macro_values *values)
{
	struct slice name = spf_macro_domain(arena, text, values);
	struct slice asked = spf_dns_escape(arena, name);
	for (size_t i = 0; i < asked.len; i++)
		need(asked.data[i] > ' ' && asked.data[i] < 0x7f);
	need(!dns_name_ok(asked) || name.len <= 253);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_make(data, size), explanation;
	size_t nul = slice_chr(text, '\0');
	struct slice value = SLICE("a.b-c");
	if (nul != SLICE_NPOS) {
		value = slice_from(text, nul + 1);
		text = slice_head(text, nul);
	}
	struct arena *arena = arena_create();
	struct spf_macro_values values = {
		.sender = value, .local = value, .sender_domain = value, .domain = value,
		.validated = value, .helo = value, .receiver = value, .now = INT64_MIN,
	};
	need(ip_parse(size % 2 ? SLICE("192.0.2.1") : SLICE("2001:db8::1"), &values.client));
	spf_macro_uses_p(text);
	if (spf_domain_spec_ok(text)) {
		need(spf_macro_ok(text, SPF_MACRO_DOMAIN) && spf_macro_ok(text, SPF_MACRO_MODIFIER));
		check_domain(arena, text, &values);
	}
	if (spf_macro_explanation(arena, text, &values, &explanation)) {
		need(spf_macro_ok(text, SPF_MACRO_EXPLANATION) && explanation.len <= SPF_EXPLANATION_MAX);
		for (size_t i = 0; i < explanation.len; i++)
			need(explanation.data[i] >= ' ' && explanation.data[i] < 0x7f);
	}
	arena_destroy(&arena);
	return 0;
}
