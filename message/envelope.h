#ifndef GATEHOUSE_MESSAGE_ENVELOPE_H
#define GATEHOUSE_MESSAGE_ENVELOPE_H
/*
 * client, envelope: who brings the mail, from whom, for whom. The same at
 * every door. Slices live in the transaction's arena.
 */
#include "base/arena.h"
#include "base/cidr.h"

/* An address of the SMTP envelope, parsed (message/address.h). */
struct mailbox {
	struct slice text;    /* as it came, without <>: for logs and the backend */
	struct slice local;   /* local part, unquoted: "a b"@x has `a b` */
	struct slice domain;  /* lower case, A-labels, no final dot; or the literal "[192.0.2.1]";
	                       * empty for <> and <postmaster> */
	bool quoted;          /* the local part stood in quotes */
	bool literal;         /* the domain is an address literal */
	bool utf8;            /* needs SMTPUTF8 (RFC 6531) */
	bool source_route;    /* came with one (RFC 5321 C); text is without it */
};

/* What a session did that mail servers don't; each is a symbol of filters/bots. */
enum client_manner {
	MANNER_EARLY_TALKER = 1 << 0,    /* spoke before our greeting was complete */
	MANNER_EARLY_PIPELINING = 1 << 1, /* sent commands behind one whose reply it had to wait for (RFC 2920 3.1) */
	MANNER_BARE_LF = 1 << 2,         /* ended a command by LF alone */
	MANNER_UNKNOWN_COMMAND = 1 << 3, /* sent what is no command */
	MANNER_HELO_CHANGED = 1 << 4,    /* gave another name later, and not after STARTTLS */
	MANNER_AUTH_UNOFFERED = 1 << 5,  /* said AUTH where no server behind us knows it */
	MANNER_HTTP = 1 << 6,            /* spoke HTTP */
};

struct client {
	struct ip ip;                /* base/cidr.h; IPv4-mapped is unmapped */
	uint16_t port;
	struct slice name;           /* verified by forward-confirmed reverse DNS, or empty */
	struct slice reverse_name;   /* what the address is called, verified or not */
	bool name_failed;            /* it could not be looked up */
	struct ip local_ip;          /* where it connected to; of a balancer behind one */
	uint16_t local_port;
	struct slice ident;          /* our id of its mail; empty outside of one */
	struct slice helo;           /* as given; empty before HELO */
	bool esmtp;                  /* said EHLO */
	struct slice login;          /* who it authenticated as; empty: nobody */
	struct slice auth_mechanism;
	struct slice tls_version;    /* "TLSv1.3"; empty: plain text */
	struct slice tls_cipher;
	unsigned tls_bits;
	struct slice tls_fingerprint; /* client certificate, SHA-256 hex; empty: none */
	const char *listener;        /* title of its listen section; NULL at the command line */
	bool submission;             /* the listener's role */
	unsigned manners;            /* of enum client_manner, as far as is known */
	bool relay_network;          /* address in relay.networks */
	bool relay_decided;          /* by the mail server whose milter we are: not ours to judge */
	bool trusted;                /* in networks.trusted */
	bool internal;               /* in networks.internal */
};

struct recipient {
	struct mailbox mailbox;
	struct slice params;         /* ESMTP parameters as text, canonical; may be empty */
	bool accepted;
	bool role;                   /* postmaster or abuse of ours: what is known before DATA doesn't refuse it */
};

struct envelope {
	struct mailbox sender;       /* text empty: the null reverse-path */
	struct slice params;
	uint64_t declared_size;      /* SIZE=, or 0 */
	bool body_8bit, body_binary, smtputf8, requiretls;
	bool prdr;            /* each recipient is to have an answer of its own to the content (draft-hall-prdr) */
	struct recipient *recipients;
	size_t recipient_count, recipient_cap;
};

/* Not judged by SPF, DMARC, DNS lists, greylisting (DESIGN 4, trust boundary). */
static inline bool client_is_ours(const struct client *client)
{
	return client->login.len > 0 || client->relay_network;
}

/* Deep copies into the arena. */
void client_copy(struct client *to, const struct client *from, struct arena *arena);
void mailbox_copy(struct mailbox *to, const struct mailbox *from, struct arena *arena);
/* Adds a copy, not accepted yet. The list may move: recipients got earlier are stale. */
struct recipient *envelope_add(struct envelope *envelope, const struct recipient *recipient, struct arena *arena);

#endif
