/* The filters there are, in order of their running. A filter comes after
 * those it names in `after`. */
#include "filters/pipeline.h"

#include "filters/arc.h"
#include "filters/author.h"
#include "filters/bots.h"
#include "filters/clamd.h"
#include "filters/content.h"
#include "filters/dkim.h"
#include "filters/dmarc.h"
#include "filters/dnsbl.h"
#include "filters/forged_from.h"
#include "filters/greylist.h"
#include "filters/iprev.h"
#include "filters/rate.h"
#include "filters/relay.h"
#include "filters/reputation.h"
#include "filters/sender_domain.h"
#include "filters/sender_login.h"
#include "filters/spf.h"
#include "filters/state.h"
#include "filters/uribl.h"

const struct filter *const filter_table[] = {
	&relay_filter,
	&bots_filter,
	&iprev_filter,
	&author_filter,
	&sender_login_filter,
	&sender_domain_filter,
	&spf_filter,
	&dkim_filter,
	&arc_filter,
	&dmarc_filter,
	&forged_from_filter,
	&content_filter,
	&dnsbl_filter,
	&rate_filter,
	&reputation_filter,
	&apart_filter,
	&greylist_filter,
	&clamd_filter,
	&uribl_filter,
	NULL,
};
