/* Eval functions that know how the mail of large providers comes, and so
 * when somebody only claims to be one. */
#include "rules/eval_pattern.h"
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

#define GMAIL_STATE_LEAST 60u

static struct slice header_whole(struct rule_scan *s, const char *name)
{
	const struct header_selector sel = { slice_str(name), 0 };
	struct slice value;
	rule_header_get(s, &sel, &value);
	return value;
}

static struct slice received(struct rule_scan *s)
{
	return eval_squeeze(s, header_whole(s, "Received"));
}

/* Some gateways remove Received fields: then nothing can be said. */
static bool trace_removed(struct rule_scan *s)
{
	struct slice trace = header_whole(s, "Received");
	if (eval_is(s, IS_EZMLM_LIST, header_whole(s, "Mailing-List")) &&
	    eval_is(s, IS_EZMLM_DELIVERED, header_whole(s, "Delivered-To")) && eval_is(s, IS_QMAIL_INVOKED, trace))
		return true;
	return !rule_header_exists(s, "Received") || eval_is(s, IS_MSN_GROUPS, trace);
}

static double gated_through_received_hdr_remover(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return trace_removed(s);
}

static double check_for_fake_aol_relay_in_rcvd(struct rule_scan *s, const struct rule *rule)
{
	struct slice trace = received(s);
	(void)rule;
	return eval_is(s, IS_AOL_RELAY, trace) && !eval_is(s, IS_AOL_SOFTWARE, trace);
}

enum hotmail { HOTMAIL_FINE, HOTMAIL_FORGED_TRACE, HOTMAIL_NO_TRACE };

static enum hotmail hotmail(struct rule_scan *s)
{
	struct slice trace = received(s);
	bool has_ip = eval_is(s, HAS_IP, header_whole(s, "X-Originating-Ip"));
	bool has_originator = eval_is(s, IS_HOTMAIL_ORIGINATOR, header_whole(s, "X-OriginatorOrg"));
	if (eval_is(s, IS_HOTMAIL_PICKUP, trace) || trace_removed(s))
		return HOTMAIL_FINE;
	if ((has_ip && eval_is(s, IS_HOTMAIL_RELAY, trace)) || (has_originator && eval_is(s, IS_OUTLOOK_RELAY, trace)))
		return HOTMAIL_FINE;
	if (eval_is(s, IS_HOTMAIL_CLAIM, trace))
		return HOTMAIL_FORGED_TRACE;
	return eval_is(s, IS_HOTMAIL_FROM, rule_header_text(s, "From:addr")) ? HOTMAIL_NO_TRACE : HOTMAIL_FINE;
}

static double check_for_forged_hotmail_received_headers(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return hotmail(s) == HOTMAIL_FORGED_TRACE;
}

static double check_for_no_hotmail_received_headers(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return hotmail(s) == HOTMAIL_NO_TRACE;
}

static double check_for_forged_eudoramail_received_headers(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	if (!eval_is(s, IS_EUDORAMAIL_FROM, rule_header_text(s, "From:addr")) || trace_removed(s))
		return 0;
	return !(eval_is(s, IS_EUDORAMAIL_RELAY, received(s)) && eval_is(s, HAS_IP, header_whole(s, "X-Sender-Ip")));
}

static double check_for_forged_yahoo_received_headers(struct rule_scan *s, const struct rule *rule)
{
	struct slice from = rule_header_text(s, "From:addr"), trace = header_whole(s, "Received");
	(void)rule;
	if (!eval_is(s, IS_YAHOO_FROM, from) || trace_removed(s))
		return 0;
	if (rule_header_exists(s, "Resent-From") && rule_header_exists(s, "Resent-To") &&
	    rule_header_exists(s, "X-Received"))
		trace = header_whole(s, "X-Received");
	trace = eval_squeeze(s, trace);
	if (eval_is(s, IS_YAHOO_RDNS, s->relays->trusted) || eval_is(s, IS_YAHOO_FIRST_RDNS, s->relays->untrusted))
		return 0;
	if (eval_is(s, IS_YAHOO_RELAY, trace))
		return 0;
	return !(eval_is(s, IS_YAHOO_BULK, trace) && eval_is(s, IS_YAHOO_REPLY, from));
}

static double check_for_forged_juno_received_headers(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	if (!eval_is(s, IS_JUNO_FROM, rule_header_text(s, "From:addr")) || trace_removed(s))
		return 0;
	struct slice origin = header_whole(s, "X-Originating-IP"), mailer = header_whole(s, "X-Mailer");
	struct slice trace = header_whole(s, "Received");
	if (origin.len > 0)
		return !eval_is(s, IS_JUNO_RELAY, trace) || slice_find(mailer, SLICE("Juno ")) == SLICE_NPOS;
	if (eval_is(s, IS_MAILCOM_RELAY, trace))
		return slice_find(mailer, SLICE("mail.com")) == SLICE_NPOS || origin.len == 0;
	return 1;
}

static double check_for_forged_gmail_received_headers(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	if (!eval_is(s, IS_GMAIL_FROM, rule_header_text(s, "From:addr")))
		return 0;
	if (eval_is(s, IS_GMAIL_X_RECEIVED, header_whole(s, "X-Received")) ||
	    eval_is(s, IS_GMAIL_RECEIVED, header_whole(s, "Received")))
		return 0;
	return !(header_whole(s, "X-Gm-Message-State").len >= GMAIL_STATE_LEAST &&
		 header_whole(s, "X-Google-Smtp-Source").len >= GMAIL_STATE_LEAST);
}

const struct eval_function eval_forged[] = {
	{ .name = "gated_through_received_hdr_remover", .fn = gated_through_received_hdr_remover },
	{ .name = "check_for_fake_aol_relay_in_rcvd", .fn = check_for_fake_aol_relay_in_rcvd },
	{ .name = "check_for_forged_hotmail_received_headers", .fn = check_for_forged_hotmail_received_headers },
	{ .name = "check_for_no_hotmail_received_headers", .fn = check_for_no_hotmail_received_headers },
	{ .name = "check_for_forged_eudoramail_received_headers", .fn = check_for_forged_eudoramail_received_headers },
	{ .name = "check_for_forged_yahoo_received_headers", .fn = check_for_forged_yahoo_received_headers },
	{ .name = "check_for_forged_juno_received_headers", .fn = check_for_forged_juno_received_headers },
	{ .name = "check_for_forged_gmail_received_headers", .fn = check_for_forged_gmail_received_headers },
	{ .name = NULL },
};
