#include "filters/dnsbl.h"

#include <pthread.h>

#include "base/log.h"
#include "filters/judged.h"
#include "message/received.h"
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

struct answers {
	const struct answer *own;     /* about what is to be known */
	const struct answer *never;   /* about what no list may list */
	const struct answer *always;  /* about what every list has to list; NULL: it needn't */
};

/* Why the list can't be believed; NULL: it can. */
static const char *illness(const struct dnslist *list, const struct answers *a)
{
	const struct answer *all[] = { a->never, a->own, a->always };
	double score;
	for (size_t i = 0; i < 3; i++)
		if (all[i] != NULL && dnslist_judge(list, all[i]->records, all[i]->count, &score) == DNSLIST_REFUSED)
			return "it refuses our questions";
	if (a->never->status == ANSWER_FOUND && a->never->count > 0)
		return "it lists what no list may list";
	if (dnslist_judge(list, a->own->records, a->own->count, &score) == DNSLIST_BROKEN)
		return "its answers are not those of a DNS list";
	if (a->always != NULL && a->always->status != ANSWER_TEMPERROR && a->always->count == 0)
		return "it does not list its test entry: dead, or to be written with probe = off";
	return NULL;
}

unsigned dnsbl_suspended(void)
{
	unsigned n = 0;
	pthread_mutex_lock(&health_lock);
	for (size_t i = 0; i < HEALTH_MAX; i++)
		n += health[i].zone != 0 && health[i].ill;
	pthread_mutex_unlock(&health_lock);
	return n;
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

/* RFC 5782 5 */
static const char *const never[] = {
	[DNSLIST_CLIENT] = "1.0.0.127", [DNSLIST_SENDER] = "invalid", [DNSLIST_RECEIVED] = "1.0.0.127",
	[DNSLIST_URI] = "invalid",
};
static const char *const always[] = {
	[DNSLIST_CLIENT] = "2.0.0.127", [DNSLIST_SENDER] = "test", [DNSLIST_RECEIVED] = "2.0.0.127",
	[DNSLIST_URI] = "test",
};

/* False: not all there. */
static bool ask(struct scan *scan, const struct dnslist *list, struct slice name, enum phase needed, struct answers *a)
{
	struct slice zone = list->zone;
	struct slice test = list->test.len > 0 ? list->test : slice_str(always[list->type]);
	a->own = scan_dns(scan, name, DNS_A, needed);
	a->never = scan_dns(scan, under(scan, slice_str(never[list->type]), zone), DNS_A, needed);
	a->always = list->probe ? scan_dns(scan, under(scan, test, zone), DNS_A, needed) : NULL;
	return a->own != NULL && a->never != NULL && (a->always != NULL || !list->probe);
}

static void add_hit(struct scan *scan, const struct dnslist *list, struct slice what, struct slice record, double score)
{
	static const char *const describe[] = {
		[DNSLIST_CLIENT] = "the client stands in a DNS list",
		[DNSLIST_SENDER] = "the sender's domain stands in a DNS list",
		[DNSLIST_RECEIVED] = "a relay of the mail stands in a DNS list",
		[DNSLIST_URI] = "a domain that the text links to stands in a DNS list",
	};
	char code[IP_TEXT_MAX];
	struct ip ip = { .family = 4 };
	memcpy(ip.bytes, record.data, 4);
	struct hit *hit = scan_hit(scan, list->symbol, "%.*s in %.*s: %s", SLICE_ARG(what), SLICE_ARG(list->zone),
				   ip_text(&ip, code));
	hit->score = snapshot_score(scan->snapshot, list->symbol, score);
	hit->shadow = hit->shadow || list->shadow;
	hit->describe = describe[list->type];
}

/* Once for a list, however many addresses were asked about. */
static bool is_noted(const struct scan *scan, const struct dnslist *list, const char *symbol)
{
	struct slice zone = arena_printf(scan->arena, "%.*s:", SLICE_ARG(list->zone));
	for (size_t i = 0; i < scan->hits.count; i++) {
		const struct hit *h = &scan->hits.list[i];
		size_t at = strcmp(h->symbol, symbol) == 0 ? slice_find(h->evidence, zone) : SLICE_NPOS;
		if (at == 0 || (at != SLICE_NPOS && h->evidence.data[at - 1] == ' '))
			return true;
	}
	return false;
}

static void conclude(struct scan *scan, const struct dnslist *list, struct slice what, const struct answers *a)
{
	double score;
	const char *ill = illness(list, a);
	tell_health(list, ill);
	if (a->own->status == ANSWER_TEMPERROR) {
		struct slice why = arena_printf(scan->arena, "%.*s: %s", SLICE_ARG(list->zone),
						a->own->why ? a->own->why : "no answer");
		if (!is_noted(scan, list, "DNSBL_TEMPERROR"))
			scan_on_error(scan, "DNSBL_TEMPERROR", "4.7.1", why.data);
	} else if (ill != NULL) {
		if (!is_noted(scan, list, "DNSBL_SUSPENDED"))
			scan_hit(scan, "DNSBL_SUSPENDED", "%.*s: %s", SLICE_ARG(list->zone), ill);
	} else if (dnslist_judge(list, a->own->records, a->own->count, &score) == DNSLIST_LISTED &&
		   !is_noted(scan, list, list->symbol)) {
		add_hit(scan, list, what, a->own->records[0], score);
	}
}

bool dnsbl_look_up(struct scan *scan, enum dnslist_type type, const struct dnsbl_asked *about, enum phase needed,
		   bool conclusions)
{
	const struct config *config = scan->snapshot->config;
	struct answers a;
	char text[IP_TEXT_MAX];
	bool is_ip = about->ip.family != 0, all = true;
	struct slice what = is_ip ? slice_str(ip_text(&about->ip, text)) : about->domain;
	for (size_t i = 0; i < config->dnslist_count; i++) {
		const struct dnslist *list = &config->dnslists[i];
		if (list->type != type)
			continue;
		struct slice name = is_ip ? dns_reverse_name(scan->arena, ip_slice(&about->ip), list->zone) :
					    under(scan, about->domain, list->zone);
		bool there = ask(scan, list, name, needed, &a);
		if (conclusions && there)
			conclude(scan, list, what, &a);
		all = all && there;
	}
	return all;
}

/* Needed in this phase, and concluded with it. */
static enum step look_up_now(struct scan *scan, enum dnslist_type type, const struct dnsbl_asked *about, enum phase phase)
{
	if (!dnsbl_look_up(scan, type, about, phase, false))
		return STEP_NEED;
	dnsbl_look_up(scan, type, about, phase, true);
	return STEP_DONE;
}

static enum step client(struct scan *scan, struct state *state, enum phase phase)
{
	if (state->concluded_client || phase == PHASE_END || !judged_known(scan, phase))
		return STEP_DONE;
	const struct dnsbl_asked about = { .ip = judged_host(scan).ip };
	if (about.ip.family == 0 || is_private(&about.ip))
		return STEP_DONE;
	if (phase == PHASE_CONNECT) { /* until MAIL it may still authenticate */
		dnsbl_look_up(scan, DNSLIST_CLIENT, &about, PHASE_MAIL, false);
		return STEP_DONE;
	}
	enum step step = look_up_now(scan, DNSLIST_CLIENT, &about, phase);
	state->concluded_client = step == STEP_DONE;
	return step;
}

static enum step sender(struct scan *scan, struct state *state, enum phase phase)
{
	const struct mailbox *m = &scan->envelope.sender;
	if (state->concluded_sender || phase != PHASE_MAIL || m->domain.len == 0 || m->literal)
		return STEP_DONE;
	const struct dnsbl_asked about = { .domain = m->domain };
	enum step step = look_up_now(scan, DNSLIST_SENDER, &about, phase);
	state->concluded_sender = step == STEP_DONE;
	return step;
}

/* ---- the other relays of the mail */

#define RELAYS_MAX 8u /* a mail can name any number */

static bool wants_relays(const struct config *config)
{
	for (size_t i = 0; i < config->dnslist_count; i++)
		if (config->dnslists[i].type == DNSLIST_RECEIVED)
			return config->networks != NULL;
	return false;
}

static size_t other_relays(const struct scan *scan, struct dnsbl_asked others[RELAYS_MAX])
{
	const struct config_networks *n = scan->snapshot->config->networks;
	const struct received_networks networks = {
		.trusted = n->trusted.items, .trusted_count = n->trusted.count,
		.internal = n->internal.items, .internal_count = n->internal.count,
	};
	const struct relays *list = message_relays(&scan->message, &networks, NULL);
	struct ip judged = judged_host(scan).ip;
	size_t count = 0;
	for (size_t i = 0; i < list->count && count < RELAYS_MAX; i++) {
		const struct ip *ip = &list->list[i].ip;
		if (ip->family != 0 && !is_private(ip) && !ip_eq(ip, &judged) &&
		    !cidr_list_has(n->trusted.items, n->trusted.count, ip))
			others[count++] = (struct dnsbl_asked){ .ip = *ip };
	}
	return count;
}

/* Asked when the header section is there, needed at the end. */
static enum step relays(struct scan *scan, enum phase phase)
{
	struct dnsbl_asked others[RELAYS_MAX];
	bool all = true;
	if ((phase != PHASE_HEADERS && phase != PHASE_END) || !wants_relays(scan->snapshot->config))
		return STEP_DONE;
	size_t count = other_relays(scan, others);
	for (size_t i = 0; i < count; i++)
		all = dnsbl_look_up(scan, DNSLIST_RECEIVED, &others[i], PHASE_END, false) && all;
	if (phase == PHASE_HEADERS)
		return STEP_DONE;
	for (size_t i = 0; all && i < count; i++)
		dnsbl_look_up(scan, DNSLIST_RECEIVED, &others[i], PHASE_END, true);
	return all ? STEP_DONE : STEP_NEED;
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	if (client_is_ours(&scan->client) || scan->snapshot->config->dnslist_count == 0)
		return STEP_DONE;
	enum step a = client(scan, memory, phase), b = sender(scan, memory, phase);
	enum step c = relays(scan, phase);
	return a == STEP_NEED || b == STEP_NEED || c == STEP_NEED ? STEP_NEED : STEP_DONE;
}

const struct filter dnsbl_filter = {
	.name = "dnsbl",
	.phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_HEADERS) |
		  PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct state),
	.step = step,
	.symbols = symbols,
};
