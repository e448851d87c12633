#include "filters/bots.h"

#include <stddef.h>

struct state {
	unsigned told;        /* manners that are hits already */
};

static const struct setting_value consequences[] = {
	{ "score", BOTS_SCORE }, { "reject", BOTS_REJECT }, { "ignore", BOTS_IGNORE }, { NULL, 0 },
};

#define AT(member) offsetof(struct bots_settings, member)
#define CONSEQUENCE(key, member, otherwise, text)                                    \
	{                                                                            \
		.name = key, .type = SETTING_ENUM, .offset = AT(member),             \
		.fallback = otherwise, .values = consequences, .help = text,         \
	}
static const struct setting settings[] = {
	CONSEQUENCE("early-talker", early_talker, "reject",
		    "who speaks before a delayed greeting is complete: score, reject (550 5.7.1), ignore"),
	CONSEQUENCE("early-pipelining", early_pipelining, "score",
		    "who sends commands without waiting where it must: score, reject, ignore"),
	CONSEQUENCE("bare-lf", bare_lf, "score", "who ends commands by LF alone: score, reject, ignore"),
	CONSEQUENCE("unknown-command", unknown_command, "score", "who sends what is no command: score, reject, ignore"),
	CONSEQUENCE("helo-changed", helo_changed, "score", "who gives two names in one session: score, reject, ignore"),
	CONSEQUENCE("auth-unoffered", auth_unoffered, "score",
		    "who tries to log in where that is not possible: score, reject, ignore"),
	CONSEQUENCE("http", http, "reject",
		    "who speaks HTTP: score, ignore, or reject: such a session ends at once (421 4.7.0)"),
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "EARLY_TALKER", 4.0, "the client spoke before our greeting was complete" },
	{ "EARLY_PIPELINING", 2.0, "the client sent commands without waiting for a reply it had to wait for" },
	{ "COMMAND_BARE_LF", 2.0, "the client ended a command by LF alone" },
	{ "COMMAND_UNKNOWN", 1.0, "the client sent what is no SMTP command" },
	{ "HELO_CHANGED", 1.0, "the client gave another HELO name in the same session" },
	{ "AUTH_UNOFFERED", 2.0, "the client tried to log in where that is not possible" },
	{ "HTTP_COMMAND", 4.0, "the client spoke HTTP" },
	{ "CONTENT_BARE_LF", 0.1, "lines of the message ended by LF alone" },
	{ "CONTENT_LONG_LINE", 0, "a line of the message is longer than 998 octets" },
	{ "CONTENT_8BIT_HEADER", 0, "the header section has octets that are not ASCII" },
	{ NULL, 0, NULL },
};

static const struct {
	enum client_manner manner;
	const char *symbol;
	size_t setting;
	const char *text;
} manners[] = {
	{ MANNER_EARLY_TALKER, "EARLY_TALKER", AT(early_talker), "You spoke before our greeting" },
	{ MANNER_EARLY_PIPELINING, "EARLY_PIPELINING", AT(early_pipelining), "You did not wait for our reply" },
	{ MANNER_BARE_LF, "COMMAND_BARE_LF", AT(bare_lf), "Commands have to end in CR LF" },
	{ MANNER_UNKNOWN_COMMAND, "COMMAND_UNKNOWN", AT(unknown_command), "You sent unknown commands" },
	{ MANNER_HELO_CHANGED, "HELO_CHANGED", AT(helo_changed), "You gave several host names" },
	{ MANNER_AUTH_UNOFFERED, "AUTH_UNOFFERED", AT(auth_unoffered), "Nobody can log in here" },
	{ MANNER_HTTP, "HTTP_COMMAND", AT(http), "This is a mail server" },
};

static void judge_manners(struct scan *scan, struct state *state)
{
	const char *base = scan_settings(scan);
	for (size_t i = 0; i < sizeof(manners) / sizeof(*manners); i++) {
		int consequence;
		unsigned bit = (unsigned)manners[i].manner;
		if (!(scan->client.manners & bit) || (state->told & bit))
			continue;
		state->told |= bit;
		memcpy(&consequence, base + manners[i].setting, sizeof(consequence));
		if (consequence == BOTS_REJECT)
			scan_refuse(scan, manners[i].symbol, ACTION_REJECT, 550, "5.7.1", "%s", manners[i].text);
		else if (consequence == BOTS_SCORE)
			scan_hit(scan, manners[i].symbol, NULL);
	}
}

static void judge_content(struct scan *scan)
{
	const struct message *m = &scan->message;
	if (m->had_bare_lf)
		scan_hit(scan, "CONTENT_BARE_LF", NULL);
	if (m->had_long_line)
		scan_hit(scan, "CONTENT_LONG_LINE", NULL);
	if (m->had_8bit_header)
		scan_hit(scan, "CONTENT_8BIT_HEADER", NULL);
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	if (client_is_ours(&scan->client))
		return STEP_DONE;
	judge_manners(scan, memory);
	if (phase == PHASE_END)
		judge_content(scan);
	return STEP_DONE;
}

const struct filter bots_filter = {
	.name = "bots",
	.phases = PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct state),
	.step = step,
	.settings = settings,
	.settings_size = sizeof(struct bots_settings),
	.symbols = symbols,
};
