#include "proxy/milter_library.h"

#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define ACTIONS_WANTED (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_QUARANTINE)
/* What we do without, and the answers that nobody needs: each spares a round trip. */
#define STEPS_WANTED (SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_SKIP | SMFIP_HDR_LEADSPC | SMFIP_NR_CONN | \
		      SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH)
#define REPLY_LINES 8
#define REPLY_LINE_MAX 400 /* libmilter takes 980 */

static struct milter_server *the_server;
/* A server may begin another session on its connection without negotiating
 * again (SMFIC_QUIT_NC): what was last agreed then holds. */
static atomic_ulong last_actions, last_steps;

struct link { /* a session's private data */
	struct milter *milter;
	unsigned long steps;
};

/* ---- what a session asks of the server */

static const char *get_macro(void *arg, const char *name)
{
	return smfi_getsymval(arg, (char *)(uintptr_t)name);
}

/* A line as libmilter wants it: printable, "%" doubled. */
static char *reply_line(struct slice text)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < text.len && out.len < REPLY_LINE_MAX; i++) {
		char c = text.data[i];
		if (c == '%')
			buf_add_char(&out, c);
		buf_add_char(&out, c >= ' ' && c <= '~' ? c : '?');
	}
	buf_add_char(&out, '\0');
	return out.data;
}

static void set_reply(void *arg, unsigned code, const char *enhanced, struct slice text)
{
	char digits[8], *line[REPLY_LINES] = { NULL };
	snprintf(digits, sizeof(digits), "%u", code);
	for (size_t i = 0; i < REPLY_LINES && (i == 0 || text.len > 0); i++) {
		size_t end = slice_chr(text, '\n');
		line[i] = reply_line(slice_head(text, end));
		text = end == SLICE_NPOS ? SLICE_EMPTY : slice_from(text, end + 1);
	}
	/* The first NULL ends the list. */
	smfi_setmlreply(arg, digits, enhanced, line[0], line[1], line[2], line[3], line[4], line[5], line[6],
			line[7], NULL);
	for (size_t i = 0; i < REPLY_LINES; i++)
		free(line[i]);
}

static bool insert_header(void *arg, const char *name, const char *value)
{
	return smfi_insheader(arg, 0, (char *)(uintptr_t)name, (char *)(uintptr_t)value) == MI_SUCCESS;
}

static bool change_header(void *arg, const char *name, int index, const char *value)
{
	return smfi_chgheader(arg, (char *)(uintptr_t)name, index, (char *)(uintptr_t)value) == MI_SUCCESS;
}

static bool add_recipient(void *arg, const char *path)
{
	return smfi_addrcpt(arg, (char *)(uintptr_t)path) == MI_SUCCESS;
}

static bool remove_recipient(void *arg, const char *path)
{
	return smfi_delrcpt(arg, (char *)(uintptr_t)path) == MI_SUCCESS;
}

static bool quarantine(void *arg, const char *reason)
{
	return smfi_quarantine(arg, (char *)(uintptr_t)reason) == MI_SUCCESS;
}

static void progress(void *arg)
{
	smfi_progress(arg);
}

static const struct milter_mta mta = {
	.macro = get_macro, .set_reply = set_reply, .insert_header = insert_header, .change_header = change_header,
	.add_recipient = add_recipient, .remove_recipient = remove_recipient, .quarantine = quarantine,
	.progress = progress,
};

/* ---- callbacks */

static struct link *link_create(SMFICTX *ctx)
{
	unsigned long actions = atomic_load(&last_actions), steps = atomic_load(&last_steps);
	const struct milter_offers offers = {
		.add_headers = actions & SMFIF_ADDHDRS, .change_headers = actions & SMFIF_CHGHDRS,
		.change_recipients = (actions & SMFIF_ADDRCPT) && (actions & SMFIF_DELRCPT),
		.quarantine = actions & SMFIF_QUARANTINE, .skip = steps & SMFIP_SKIP,
		.leading_space = steps & SMFIP_HDR_LEADSPC,
	};
	struct link *l = xcalloc(1, sizeof(*l));
	l->steps = steps;
	l->milter = milter_open(the_server, &mta, ctx, &offers);
	smfi_setpriv(ctx, l);
	return l;
}

static struct link *link_of(SMFICTX *ctx)
{
	struct link *l = smfi_getpriv(ctx);
	return l != NULL ? l : link_create(ctx);
}

static sfsistat no_reply(const struct link *l, unsigned long step)
{
	return (l->steps & step) ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat status_of(enum milter_reply reply)
{
	static const sfsistat statuses[] = {
		[MILTER_CONTINUE] = SMFIS_CONTINUE, [MILTER_SKIP] = SMFIS_SKIP, [MILTER_REJECT] = SMFIS_REJECT,
		[MILTER_TEMPFAIL] = SMFIS_TEMPFAIL, [MILTER_DISCARD] = SMFIS_DISCARD,
	};
	return statuses[reply];
}

/* Sendmail sends only what its configuration names, unless told otherwise. */
static void ask_for_macros(SMFICTX *ctx)
{
	static const struct {
		int stage;
		const char *names;
	} macros[] = {
		{ SMFIM_CONNECT, "j _ {daemon_name} {client_name} {client_addr} {client_port} {client_resolve}" },
		{ SMFIM_HELO, "{tls_version} {cipher} {cipher_bits}" },
		{ SMFIM_ENVFROM, "i r {auth_type} {auth_authen} {tls_version} {cipher} {cipher_bits} {daemon_name}" },
		{ SMFIM_ENVRCPT, "i {rcpt_mailer}" },
		{ SMFIM_EOM, "i" },
	};
	for (size_t i = 0; i < sizeof(macros) / sizeof(*macros); i++)
		smfi_setsymlist(ctx, macros[i].stage, (char *)(uintptr_t)macros[i].names);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long f2,
			     unsigned long f3, unsigned long *actions_r, unsigned long *steps_r, unsigned long *f2_r,
			     unsigned long *f3_r)
{
	(void)f2, (void)f3;
	*actions_r = actions & (ACTIONS_WANTED | SMFIF_SETSYMLIST);
	*steps_r = steps & STEPS_WANTED;
	*f2_r = *f3_r = 0;
	if ((actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS)) != (SMFIF_ADDHDRS | SMFIF_CHGHDRS))
		log_warn(NULL, "milter", "the mail server does not let headers be changed");
	if (actions & SMFIF_SETSYMLIST)
		ask_for_macros(ctx);
	atomic_store(&last_actions, *actions_r);
	atomic_store(&last_steps, *steps_r);
	struct link *l = link_create(ctx);
	l->steps = *steps_r;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	struct link *l = link_of(ctx);
	struct ip ip = { 0 };
	uint16_t port = 0;
	if (address != NULL)
		ip_from_sockaddr((const struct sockaddr *)address, &ip, &port);
	milter_connect(l->milter, host ? host : "", &ip, port);
	return no_reply(l, SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	struct link *l = link_of(ctx);
	milter_helo(l->milter, name ? name : "");
	return no_reply(l, SMFIP_NR_HELO);
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
	struct link *l = link_of(ctx);
	milter_mail(l->milter, args);
	return no_reply(l, SMFIP_NR_MAIL);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
	return status_of(milter_rcpt(link_of(ctx)->milter, args));
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct link *l = link_of(ctx);
	milter_header(l->milter, name, value);
	return no_reply(l, SMFIP_NR_HDR);
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
	struct link *l = link_of(ctx);
	milter_end_of_header(l->milter);
	return no_reply(l, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t len)
{
	return status_of(milter_body(link_of(ctx)->milter, slice_make(bytes, len)));
}

static sfsistat on_end(SMFICTX *ctx)
{
	return status_of(milter_end(link_of(ctx)->milter));
}

static sfsistat on_abort(SMFICTX *ctx)
{
	milter_abort(link_of(ctx)->milter);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct link *l = smfi_getpriv(ctx);
	smfi_setpriv(ctx, NULL);
	if (l != NULL)
		milter_close(&l->milter);
	free(l);
	return SMFIS_CONTINUE;
}

void milter_library_run(struct milter_server *server, int fd)
{
	char name[] = "Gatehouse", address[16];
	const struct smfiDesc callbacks = {
		.xxfi_name = name, .xxfi_version = SMFI_VERSION, .xxfi_flags = ACTIONS_WANTED | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect, .xxfi_helo = on_helo, .xxfi_envfrom = on_mail, .xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header, .xxfi_eoh = on_end_of_header, .xxfi_body = on_body, .xxfi_eom = on_end,
		.xxfi_abort = on_abort, .xxfi_close = on_close, .xxfi_negotiate = on_negotiate,
	};
	the_server = server;
	snprintf(address, sizeof(address), "fd:%d", fd);
	if (smfi_register(callbacks) != MI_SUCCESS || smfi_setconn(address) != MI_SUCCESS ||
	    smfi_main() != MI_SUCCESS)
		log_error(NULL, "milter", "libmilter ended; its reason is in the system's log");
}
