#ifndef GATEHOUSE_POLICY_CONFIG_H
#define GATEHOUSE_POLICY_CONFIG_H
/*
 * config: the configuration as C structs (DESIGN 8). Each section's table
 * stands in config_tables.c; the manual is printed from the tables.
 */
#include "base/settings.h"

enum tls_mode { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };
enum listener_role { ROLE_MX, ROLE_SUBMISSION };
enum client_info {
	CLIENT_INFO_NONE, CLIENT_INFO_XCLIENT, CLIENT_INFO_XFORWARD, CLIENT_INFO_PROXY_V1, CLIENT_INFO_PROXY_V2
};
enum backend_protocol { BACKEND_SMTP, BACKEND_LMTP };
enum backend_tls { BACKEND_TLS_OFF, BACKEND_TLS_OPPORTUNISTIC, BACKEND_TLS_REQUIRED, BACKEND_TLS_VERIFIED };
enum bare_lf { BARE_LF_NORMALISE, BARE_LF_REFUSE };

struct config_top {
	struct slice hostname;      /* default: the system's name */
	struct slice user;          /* workers run as; empty: stay who we are */
	struct slice greeting;      /* after "220 hostname " */
	struct slice help;          /* reply to HELP */
	int64_t workers;            /* 0: one per core */
	struct slice runtime;       /* folder of the control socket and pid; empty: beside the state */
	bool sandbox;               /* workers give up what they don't need */
	int64_t drain_timeout;      /* ms a reload or stop waits for sessions */
};

struct config_tls {
	struct slice title;
	struct slice certificate, key;   /* PEM files; key: may be the same */
	struct slice ciphers;            /* of TLS 1.2 */
	struct slice ciphersuites;       /* of TLS 1.3 */
	int min_version;                 /* 0x0303 … (TLS1_2_VERSION) */
	struct slice_list names;         /* for SNI; empty: the default one */
	struct slice_list client_fingerprints; /* SHA-256 hex; who shows one is authenticated */
};

struct config_listen {
	struct slice title;
	struct endpoint address;
	int tls;                    /* enum tls_mode */
	int role;                   /* enum listener_role */
	struct slice certificate;   /* title of a tls section; set whenever tls isn't none */
	struct slice_list backends; /* titles; empty: all in order */
	struct cidr_list proxy_from; /* who may speak the PROXY protocol */
	bool auth_without_tls;
	int64_t greeting_delay;     /* ms */
};

enum milter_quarantine { MILTER_QUARANTINE_SERVER, MILTER_QUARANTINE_OWN };

struct config_milter {
	struct slice title;
	struct slice address;       /* libmilter's: inet:port@host, inet:host:port, unix:/path */
	struct slice socket_group;
	int64_t socket_mode;        /* as chmod(2) */
	int64_t processes;
	bool relay;                 /* the filter relay judges here too */
	int quarantine;             /* enum milter_quarantine: where held mail is held */
	struct slice_list submission_daemons; /* names of {daemon_name} that are for own users */
};

struct config_backend {
	struct slice title;
	struct endpoint address;
	struct slice maildir;       /* a folder instead of a server */
	int protocol;               /* enum backend_protocol */
	int client_info;            /* enum client_info */
	int tls;                    /* enum backend_tls */
	bool tls_implicit;          /* TLS from the first octet (port 465) */
	struct slice tls_ca, tls_name, tls_ciphers;
	int tls_min_version;
	struct slice_list tls_fingerprints;
	struct slice_list domains;  /* recipients it takes; empty: all */
	struct slice_list users;    /* logins it is for; empty: everybody */
	struct slice verify_with;   /* title of the backend that knows the recipients; empty: this one */
	int64_t verify_cache;       /* ms; 0: each recipient is asked for each time */
	int64_t health_check;       /* ms; 0: only while it fails */
	int64_t priority, weight;
	int64_t connections;        /* idle ones kept, per worker */
	int64_t max_connections;    /* of all workers; 0: any number */
	int64_t connect_timeout, reply_timeout, data_timeout; /* ms */
	bool transparent;
};

struct config_relay {
	struct slice_list domains;
	struct cidr_list networks;
	struct slice_list literals; /* own address literals accepted as local: "[192.0.2.1]" */
};

struct config_dns {
	struct slice_list forward;  /* "127.0.0.1@53" */
	struct slice zone_file;
	int64_t timeout;            /* ms a question may take */
	bool dnssec;
	struct slice trust_anchor;  /* file */
};

struct config_rules {
	struct slice_list paths;
	struct slice cache;         /* folder of compiled images; empty: no cache */
	int64_t rule_budget;        /* ms one rule may take on a mail */
};

struct config_networks {
	struct cidr_list trusted, internal;
};

struct config_limits {
	uint64_t message_size;
	int64_t recipients, sessions, sessions_per_client, messages, commands, errors, unknown_commands;
	int64_t auth_failures;      /* of one address in an hour; 0: any number */
	int64_t command_timeout, session_timeout, data_timeout, end_deadline; /* ms */
	uint64_t command_line, text_line;
	uint64_t memory_per_message; /* content above it goes to an unlinked file */
	int64_t received_headers, headers, dns_questions;
	int64_t tarpit;             /* ms a command waits that comes after an error; 0: none */
	int bare_lf;                /* enum bare_lf */
};

enum keep_mail { KEEP_NONE, KEEP_REFUSED, KEEP_ALL };

struct config_state {
	struct slice store;         /* lmdb:PATH, redis://host:port/db, memory: */
	uint64_t store_size;        /* 0: as base/store.h has it */
	int64_t store_timeout;      /* ms */
	struct slice directory;     /* spool, journal, quarantine */
	int64_t quarantine_keep;    /* ms */
	uint64_t quarantine_size, journal_size, keep_size;
	int keep_mail;              /* enum keep_mail */
	int on_error;
};

struct config_log {
	int target;                 /* enum log_target, base/log.h */
	int format;                 /* enum log_format */
	int level;
};

/* Of one policy section (issue: policy). The one titled "default" always exists. */
struct config_policy {
	struct slice title;
	double tag, quarantine, reject, greylist, redirect, discard; /* scores; a negative value: off */
	struct slice redirect_to;        /* the address that gets what is redirected */
	struct slice_list recipients, senders, users, listeners; /* matched; all empty: everyone */
	struct cidr_list clients;
	struct slice_list allow, deny;   /* titles of list sections */
	struct slice_list skip;          /* names of filters that it switches off */
	struct slice_list use;           /* names of filters that it switches on */
	struct slice_list scores, actions, replies; /* "SYMBOL=…" as written */
	struct slice subject_tag;        /* put before the subject of what is tagged; empty: not */
	bool report;                     /* X-Spam-Report on what is tagged */
	bool shadow;                     /* noted what it would do, not done */
	const struct policy_made *made;  /* policy/policy.h: the lists of texts, read */
};

enum list_type { LIST_NETWORKS, LIST_ADDRESSES, LIST_DOMAINS, LIST_PATTERNS };

struct config_list {
	struct slice title;
	int type;                   /* enum list_type */
	struct slice file;          /* an entry a line; empty: entries alone */
	struct slice_list entries;
	bool shadow;                /* noted what it would do, not done */
	const struct list *loaded;  /* policy/lists.h */
};

struct config_dnslist {
	struct slice title;
	struct slice_list zone;     /* one, or none: it is known by its title */
	int type;                   /* enum dnslist_type, policy/dnslist.h */
	double score;
	struct slice_list codes;    /* "127.0.0.2=3.5" */
	bool shadow, probe;
	struct slice_list test_entry; /* one, or none */
	bool enabled;
};

struct config_filter {
	struct slice name;
	const void *values;         /* the filter's settings struct */
	bool off;                   /* enabled = off: for all mail but that of policies whose use names it */
	bool used;                  /* some policy does */
};

struct config {
	struct arena *arena;
	struct slice path;          /* the file read */
	const struct settings_file *file;
	const struct config_top *top;
	const struct config_relay *relay;
	const struct config_dns *dns;
	const struct config_rules *rules;
	const struct config_networks *networks;
	const struct config_limits *limits;
	const struct config_state *state;
	const struct config_log *log;
	const struct config_tls *tls; size_t tls_count;
	const struct config_listen *listens; size_t listen_count;
	const struct config_milter *milters; size_t milter_count;
	const struct config_backend *backends; size_t backend_count;
	const struct config_policy *policies; size_t policy_count;
	const struct config_list *lists; size_t list_count;
	const struct dnslist *dnslists; size_t dnslist_count; /* policy/dnslist.h: the enabled ones */
	const struct config_filter *filters; size_t filter_count;
};

/*
 * Reads and checks. filters: the section tables of all filters (section.name
 * "filter NAME"), NULL-terminated; it is the caller's floor that knows them.
 * path NULL: no file, all defaults (command line). text: as settings_read.
 * NULL with errors on anything wrong: a reference to a section that isn't
 * there, a listener without certificate, a backend with neither address nor
 * maildir or both, two listeners on one address …
 */
struct config *config_read(struct arena *arena, const char *path, struct slice text,
			   const struct section *const *filters, struct config_errors *errors);
/* Files and folders that the configuration names and that aren't there. Apart
 * from config_read, for not everybody who reads it needs or sees them. */
void config_check_files(const struct config *config, struct config_errors *errors);

/* What is legal but dangerous or pointless: a backend that takes us for the
 * client, everybody in relay.networks, no domain of our own … */
void config_warnings(const struct config *config, struct config_errors *warnings);

/*
 * Adds an error about key in the section whose values these are (of
 * settings_top, _get, _next), "key: …"; where key isn't written it is said of the
 * section, or of the file. A warning says itself what it is about; key may
 * be NULL there.
 */
void config_error_at(const struct config *config, const void *values, const char *key, struct config_errors *errors,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void config_warning_at(const struct config *config, const void *values, const char *key, struct config_errors *warnings,
		       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Sections by title; NULL: none. */
const struct config_tls *config_tls_find(const struct config *config, struct slice title);
/* SMTP workers: as set, or one for each core. At least 1. */
unsigned config_workers(const struct config *config);
const struct config_backend *config_backend_find(const struct config *config, struct slice title);

/* Prints the manual page gatehouse.conf(5), with all settings (mdoc). */
void config_print_reference(void *file /* FILE * */, const struct section *const *filters);

#endif
