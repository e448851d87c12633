#include "message/facts.h"

static const char *const result_names[] = {
	[AUTH_UNKNOWN] = "unknown", [AUTH_NONE] = "none", [AUTH_PASS] = "pass", [AUTH_FAIL] = "fail",
	[AUTH_SOFTFAIL] = "softfail", [AUTH_NEUTRAL] = "neutral", [AUTH_POLICY] = "policy",
	[AUTH_TEMPERROR] = "temperror", [AUTH_PERMERROR] = "permerror",
};

const char *auth_result_name(enum auth_result result)
{
	return result_names[result];
}

static const char *const policy_names[] = {
	[DMARC_POLICY_UNSET] = "unset", [DMARC_POLICY_NONE] = "none",
	[DMARC_POLICY_QUARANTINE] = "quarantine", [DMARC_POLICY_REJECT] = "reject",
};

const char *dmarc_policy_name(enum dmarc_policy policy)
{
	return policy_names[policy];
}
