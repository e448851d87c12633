#include "filters/clamd.h"

#include <stddef.h>

#include "filters/registry.h"
#include "filters/scan.h"

static const struct setting_value ON_ERRORS[] = {
	{ "skip", ON_ERROR_SKIP }, { "defer", ON_ERROR_DEFER }, { NULL, 0 },
};
static const struct setting_value FOUND[] = {
	{ "reject", CLAMD_REJECT }, { "quarantine", CLAMD_QUARANTINE }, { "score", CLAMD_SCORE }, { NULL, 0 },
};

#define AT(member) offsetof(struct clamd_settings, member)
static const struct setting settings[] = {
	{ "enabled", SETTING_BOOL, AT(common.enabled), .fallback = "off", .help = "Whether messages are scanned" },
	{ "on-error", SETTING_ENUM, AT(common.on_error), .fallback = "defer", .values = ON_ERRORS,
	  .help = "When the scanner doesn't answer: answer 451, or go on as if it had found nothing" },
	{ "address", SETTING_ENDPOINT, AT(address), .fallback = "unix:/run/clamav/clamd.ctl",
	  .help = "Where clamd listens: unix:/path or address:port" },
	{ "timeout", SETTING_TIME, AT(timeout), .fallback = "30s", .min = 100, .max = 600000,
	  .help = "How long a scan may take" },
	{ "max-size", SETTING_SIZE, AT(max_size), .fallback = "25mb", .max = 4e9,
	  .help = "Larger mail isn't scanned; not above clamd's StreamMaxLength" },
	{ "found", SETTING_ENUM, AT(found), .fallback = "reject", .values = FOUND,
	  .help = "What becomes of a mail with a finding" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "CLAMD_FOUND", 20, "the virus scanner found something" },
	{ "CLAMD_TOO_BIG", 0, "too large to be scanned for viruses" },
	{ "CLAMD_TEMPERROR", 0, "the virus scanner did not answer" },
	{ NULL, 0, NULL },
};

bool clamd_scanner(const struct snapshot *snapshot, struct scanner_config *config_r)
{
	const struct clamd_settings *s = snapshot_filter(snapshot, "clamd");
	if (s == NULL || !filter_is_on(snapshot->config, "clamd"))
		return false;
	*config_r = (struct scanner_config){ s->address, s->timeout };
	return true;
}

static void found(struct scan *scan, const struct clamd_settings *s, struct slice name)
{
	struct hit *hit = scan_hit(scan, "CLAMD_FOUND", "%.*s", SLICE_ARG(name));
	if (s->found == CLAMD_QUARANTINE)
		hit->action = ACTION_QUARANTINE;
	if (s->found != CLAMD_REJECT)
		return;
	hit->action = ACTION_REJECT;
	hit->refusal = (struct refusal){
		550, "5.7.0", arena_printf(scan->arena, "Message contains malware: %.*s", SLICE_ARG(hit->evidence)),
	};
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct clamd_settings *s = scan_settings(scan);
	(void)state;
	if (s == NULL)
		return STEP_DONE;
	if (s->max_size > 0 && scan->message.raw.len > s->max_size) {
		scan_hit(scan, "CLAMD_TOO_BIG", "%zu octets", scan->message.raw.len);
		return STEP_DONE;
	}
	const struct answer *answer = ask_scanner(scan->questions, scan->message.raw, phase);
	if (answer == NULL)
		return STEP_NEED;
	if (answer->status == ANSWER_FOUND)
		found(scan, s, answer->value);
	else if (answer->status != ANSWER_NODATA)
		scan_on_error(scan, "CLAMD_TEMPERROR", "4.7.0", answer->why ? answer->why : "no answer");
	return STEP_DONE;
}

const struct filter clamd_filter = {
	.name = "clamd",
	.phases = PHASE_BIT(PHASE_END),
	.step = step,
	.settings = settings,
	.settings_size = sizeof(struct clamd_settings),
	.symbols = symbols,
};
