#include "filters/dnsbl.h"

#include <pthread.h>

#include "base/log.h"
#include "filters/judged.h"
#include "policy/dnslist.h"

struct state {
	bool concluded_client, concluded_sender;
};

static const struct filter_symbol symbols[] = {
	{ "DNSBL_TEMPERROR", 0, "a DNS list did not answer" },
	{ "DNSBL_SUSPENDED", 0, "a DNS list is not well, or refuses us: its answers don't count" },
	{ NULL, 0, NULL },
};

/* ---- health, one for all scans of this process */

#define HEALTH_MAX 64

static pthread_mutex_t health_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t zone;       /* hash; 0: free */
	bool ill;
} health[HEALTH_MAX];

/* Notes how a list is; true: that is news. */
static bool note_health(struct slice zone, bool ill)
{
	uint64_t hash = slice_hash(zone) | 1;
	bool news = false;
	pthread_mutex_lock(&health_lock);
	for (size_t i = 0; i < HEALTH_MAX; i++) {
		if (health[i].zone == 0)
			health[i].zone = hash;
		if (health[i].zone != hash)
			continue;
		news = health[i].ill != ill;
		health[i].ill = ill;
		break;
	}
	pthread_mutex_unlock(&health_lock);
	return news;
}

static void tell_health(const struct dnslist *list, const char *ill)
{
	if (!note_health(list->zone, ill != NULL))
		return;
	if (ill != NULL)
		log_warn(NULL, "dnsbl suspended", "%.*s: %s", SLICE_ARG(list->zone), ill);
	else
		log_info(NULL, "dnsbl resumed", "%.*s answers as it should", SLICE_ARG(list->zone));
}

/* Why the list can't be believed; NULL: it can. */
static const char *illness(const struct dnslist *list, const struct answer *probe, const struct answer *answer)
{
	double score;
	if (dnslist_judge(list, probe->records, probe->count, &score) == DNSLIST_REFUSED ||
	    dnslist_judge(list, answer->records, answer->count, &score) == DNSLIST_REFUSED)
		return "it refuses our questions";
	if (probe->status == ANSWER_FOUND && probe->count > 0)
		return "it lists what no list may list";
	if (dnslist_judge(list, answer->records, answer->count, &score) == DNSLIST_BROKEN)
		return "its answers are not those of a DNS list";
	return NULL;
}

/* ---- asking */

static bool is_private(const struct ip *ip)
{
	static const char *const nets[] = {
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.168.0.0/16", "::/128", "::1/128", "fc00::/7", "fe80::/10",
	};
	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++) {
		struct cidr net;
		if (cidr_parse(slice_str(nets[i]), &net) && cidr_has(&net, ip))
			return true;
	}
	return false;
}

static struct slice under(struct scan *scan, struct slice name, struct slice zone)
{
	return arena_printf(scan->arena, "%.*s.%.*s", SLICE_ARG(name), SLICE_ARG(zone));
}

/* The answers; false: not all there. */
static bool ask(struct scan *scan, const struct dnslist *list, struct slice name, enum phase needed,
		const struct answer **answer_r, const struct answer **probe_r)
{
	struct slice healthy = list->type == DNSLIST_CLIENT ? SLICE("1.0.0.127") : SLICE("invalid");
	*answer_r = scan_dns(scan, name, DNS_A, needed);
	*probe_r = scan_dns(scan, under(scan, healthy, list->zone), DNS_A, needed);
	return *answer_r != NULL && *probe_r != NULL;
}

static void conclude(struct scan *scan, const struct dnslist *list, struct slice what, const struct answer *answer,
		     const struct answer *probe)
{
	double score;
	const char *ill = illness(list, probe, answer);
	tell_health(list, ill);
	if (answer->status == ANSWER_TEMPERROR) {
		struct slice why = under(scan, slice_str(answer->why ? answer->why : "no answer"), list->zone);
		scan_on_error(scan, "DNSBL_TEMPERROR", "4.7.1", why.data);
		return;
	}
	if (ill != NULL) {
		scan_hit(scan, "DNSBL_SUSPENDED", "%.*s: %s", SLICE_ARG(list->zone), ill);
		return;
	}
	if (dnslist_judge(list, answer->records, answer->count, &score) != DNSLIST_LISTED)
		return;
	char code[IP_TEXT_MAX];
	struct ip ip = { .family = 4 };
	memcpy(ip.bytes, answer->records[0].data, 4);
	struct hit *hit = scan_hit(scan, list->symbol, "%.*s in %.*s: %s", SLICE_ARG(what), SLICE_ARG(list->zone),
				   ip_text(&ip, code));
	hit->score = snapshot_score(scan->snapshot, list->symbol, score);
	hit->shadow = hit->shadow || list->shadow;
	if (hit->describe == NULL)
		hit->describe = list->type == DNSLIST_CLIENT ? "the client stands in a DNS list" :
						       "the sender's domain stands in a DNS list";
}

/* All lists of a type, asked for together. */
static enum step look_up(struct scan *scan, enum dnslist_type type, const struct ip *ip, struct slice domain,
			 enum phase needed, bool last)
{
	const struct config *config = scan->snapshot->config;
	const struct answer *answer, *probe;
	char text[IP_TEXT_MAX];
	struct slice what = type == DNSLIST_CLIENT ? slice_str(ip_text(ip, text)) : domain;
	for (int concluding = 0; concluding < (last ? 2 : 1); concluding++) {
		bool all = true;
		for (size_t i = 0; i < config->dnslist_count; i++) {
			const struct dnslist *list = &config->dnslists[i];
			if (list->type != type)
				continue;
			struct slice name = type == DNSLIST_CLIENT ?
					    dns_reverse_name(scan->arena, ip_slice(ip), list->zone) :
					    under(scan, domain, list->zone);
			all = ask(scan, list, name, needed, &answer, &probe) && all;
			if (concluding)
				conclude(scan, list, what, answer, probe);
		}
		if (last && !all)
			return STEP_NEED;
	}
	return STEP_DONE;
}

static enum step client(struct scan *scan, struct state *state, enum phase phase)
{
	if (state->concluded_client || !judged_known(scan, phase))
		return STEP_DONE;
	struct judged judged = judged_host(scan);
	bool last = phase != PHASE_CONNECT; /* until MAIL it may still authenticate */
	if (judged.ip.family == 0 || is_private(&judged.ip))
		return STEP_DONE;
	enum step step = look_up(scan, DNSLIST_CLIENT, &judged.ip, SLICE_EMPTY, last ? phase : PHASE_MAIL, last);
	state->concluded_client = last && step == STEP_DONE;
	return step;
}

static enum step sender(struct scan *scan, struct state *state, enum phase phase)
{
	const struct mailbox *m = &scan->envelope.sender;
	if (state->concluded_sender || phase != PHASE_MAIL || m->domain.len == 0 || m->literal)
		return STEP_DONE;
	enum step step = look_up(scan, DNSLIST_SENDER, NULL, m->domain, phase, true);
	state->concluded_sender = step == STEP_DONE;
	return step;
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	if (client_is_ours(&scan->client) || scan->snapshot->config->dnslist_count == 0)
		return STEP_DONE;
	enum step a = client(scan, memory, phase), b = sender(scan, memory, phase);
	return a == STEP_NEED || b == STEP_NEED ? STEP_NEED : STEP_DONE;
}

const struct filter dnsbl_filter = {
	.name = "dnsbl",
	.phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_HEADERS),
	.state_size = sizeof(struct state),
	.step = step,
	.symbols = symbols,
};
