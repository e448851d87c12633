#include "message/phase.h"

static const char *const names[PHASES] = {
	[PHASE_CONNECT] = "connect", [PHASE_HELO] = "helo", [PHASE_MAIL] = "mail",
	[PHASE_RCPT] = "rcpt", [PHASE_HEADERS] = "headers", [PHASE_BODY] = "body",
	[PHASE_END] = "end",
};

const char *phase_name(enum phase phase)
{
	return phase < PHASES ? names[phase] : "?";
}
