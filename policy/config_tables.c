#include "policy/config_tables.h"

#include "base/log.h"
#include "policy/dnslist.h"

#define AT(part, field) offsetof(struct config_##part, field)

#define SECOND 1000.0
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB 1024.0
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const struct setting TOP[] = {
	{ "hostname", SETTING_STRING, AT(top, hostname),
	  .help = "Our name in the greeting, in EHLO, in Received and in Authentication-Results. Default: "
		  "the system's name" },
	{ "user", SETTING_STRING, AT(top, user), .fallback = "",
	  .help = "Workers run as this user. Empty: as who started us" },
	{ "greeting", SETTING_STRING, AT(top, greeting), .fallback = "ESMTP",
	  .help = "Text behind the host name in the first reply" },
	{ "help", SETTING_STRING, AT(top, help), .fallback = "See RFC 5321",
	  .help = "Text of the reply to HELP" },
	{ "workers", SETTING_INT, AT(top, workers), .fallback = "0", .max = 256,
	  .help = "SMTP worker processes. 0: one for each core" },
	{ "runtime", SETTING_STRING, AT(top, runtime), .fallback = "",
	  .help = "Folder of the control socket. Empty: beside the state" },
	{ "sandbox", SETTING_BOOL, AT(top, sandbox), .fallback = "on",
	  .help = "Workers can't execute programs, and can write only where their state is (seccomp, "
		  "Landlock)" },
	{ "drain-timeout", SETTING_TIME, AT(top, drain_timeout), .fallback = "10m", .max = DAY,
	  .help = "How long sessions may go on after a reload or stop" },
	{ 0 },
};
const struct section config_top_section = { "", false, sizeof(struct config_top), TOP, NULL };

static const struct setting_value TLS_VERSIONS[] = { /* as in the TLS record layer */
	{ "1.0", 0x0301 }, { "1.1", 0x0302 }, { "1.2", 0x0303 }, { "1.3", 0x0304 }, { NULL, 0 },
};

static const struct setting TLS[] = {
	{ "certificate", SETTING_STRING, AT(tls, certificate), .required = true,
	  .help = "PEM file with the certificate, and those between it and the root" },
	{ "key", SETTING_STRING, AT(tls, key), .fallback = "",
	  .help = "PEM file with the private key. Empty: it is in the certificate's file" },
	{ "ciphers", SETTING_STRING, AT(tls, ciphers), .fallback = "",
	  .help = "TLS 1.2 ciphers, in OpenSSL's form. Empty: OpenSSL's own choice" },
	{ "ciphersuites", SETTING_STRING, AT(tls, ciphersuites), .fallback = "",
	  .help = "TLS 1.3 cipher suites, in OpenSSL's form. Empty: OpenSSL's own choice" },
	{ "min-version", SETTING_ENUM, AT(tls, min_version), .fallback = "1.2", .values = TLS_VERSIONS,
	  .help = "Oldest version of TLS to take" },
	{ "names", SETTING_DOMAINS, AT(tls, names), .fallback = "",
	  .help = "Host names for which a client that names one (SNI) gets this certificate" },
	{ "client-fingerprints", SETTING_STRINGS, AT(tls, client_fingerprints), .fallback = "",
	  .help = "SHA-256 of client certificates, in hex; who shows one of them counts as authenticated" },
	{ 0 },
};
const struct section config_tls_section = {
	"tls", true, sizeof(struct config_tls), TLS, "A certificate and how to use it",
};

static const struct setting_value TLS_MODES[] = {
	{ "none", TLS_NONE }, { "starttls", TLS_STARTTLS }, { "implicit", TLS_IMPLICIT }, { NULL, 0 },
};
static const struct setting_value ROLES[] = {
	{ "mx", ROLE_MX }, { "submission", ROLE_SUBMISSION }, { NULL, 0 },
};

static const struct setting LISTEN[] = {
	{ "address", SETTING_ENDPOINT, AT(listen, address), .required = true,
	  .help = "Where to listen: 0.0.0.0:25, [::]:25, unix:/path" },
	{ "tls", SETTING_ENUM, AT(listen, tls), .fallback = "none", .values = TLS_MODES,
	  .help = "Offer STARTTLS, or begin with TLS (port 465)" },
	{ "role", SETTING_ENUM, AT(listen, role), .fallback = "mx", .values = ROLES,
	  .help = "mx: mail from the world for us; submission: mail from our users for the world" },
	{ "certificate", SETTING_STRING, AT(listen, certificate), .fallback = "",
	  .help = "Name of a tls section. Empty: default, or the only one there is" },
	{ "backends", SETTING_STRINGS, AT(listen, backends), .fallback = "",
	  .help = "Names of backend sections to use. Empty: all" },
	{ "proxy-from", SETTING_CIDRS, AT(listen, proxy_from), .fallback = "",
	  .help = "Balancers that speak the PROXY protocol to us; others must not. Who comes by a unix socket counts as "
		  "127.0.0.1" },
	{ "auth-without-tls", SETTING_BOOL, AT(listen, auth_without_tls), .fallback = "off",
	  .help = "Offer AUTH on connections without TLS too" },
	{ "greeting-delay", SETTING_TIME, AT(listen, greeting_delay), .fallback = "0", .max = MINUTE,
	  .help = "Hold the second line of the greeting back this long; who talks before it gets EARLY_TALKER "
		  "(filter bots). Trusted clients, and those whose mail was clean before, needn't wait" },
	{ 0 },
};
const struct section config_listen_section = {
	"listen", true, sizeof(struct config_listen), LISTEN, "A socket that takes SMTP",
};

static const struct setting_value QUARANTINES[] = {
	{ "server", MILTER_QUARANTINE_SERVER }, { "own", MILTER_QUARANTINE_OWN }, { NULL, 0 },
};
static const struct setting MILTER[] = {
	{ "address", SETTING_STRING, AT(milter, address), .required = true,
	  .help = "Where to listen: inet:127.0.0.1:8891, inet:8891@127.0.0.1 or unix:/path" },
	{ "socket-group", SETTING_STRING, AT(milter, socket_group), .fallback = "",
	  .help = "Group of the unix socket" },
	{ "socket-mode", SETTING_MODE, AT(milter, socket_mode), .fallback = "0660",
	  .help = "Permissions of the unix socket" },
	{ "processes", SETTING_INT, AT(milter, processes), .fallback = "1", .min = 1, .max = 16,
	  .help = "Processes that serve it; each has as many threads as there are sessions at work" },
	{ "relay", SETTING_BOOL, AT(milter, relay), .fallback = "off",
	  .help = "Refuse recipients by relay.domains here too, behind what the mail server decides" },
	{ "quarantine", SETTING_ENUM, AT(milter, quarantine), .fallback = "server", .values = QUARANTINES,
	  .help = "Who holds what a policy puts in quarantine: the mail server in its hold queue, or Gatehouse" },
	{ "submission-daemons", SETTING_STRINGS, AT(milter, submission_daemons), .fallback = "ORIGINATING,MSA",
	  .help = "What {daemon_name} is where own users submit their mail" },
	{ 0 },
};
const struct section config_milter_section = {
	"milter", true, sizeof(struct config_milter), MILTER,
	"A socket for the milter protocol of Postfix and Sendmail",
};

static const struct setting_value PROTOCOLS[] = {
	{ "smtp", BACKEND_SMTP }, { "lmtp", BACKEND_LMTP }, { NULL, 0 },
};
static const struct setting_value CLIENT_INFOS[] = {
	{ "none", CLIENT_INFO_NONE }, { "xclient", CLIENT_INFO_XCLIENT },
	{ "xforward", CLIENT_INFO_XFORWARD }, { "proxy-v1", CLIENT_INFO_PROXY_V1 },
	{ "proxy-v2", CLIENT_INFO_PROXY_V2 }, { NULL, 0 },
};
static const struct setting_value BACKEND_TLS[] = {
	{ "off", BACKEND_TLS_OFF }, { "opportunistic", BACKEND_TLS_OPPORTUNISTIC },
	{ "required", BACKEND_TLS_REQUIRED }, { "verified", BACKEND_TLS_VERIFIED }, { NULL, 0 },
};

static const struct setting BACKEND[] = {
	{ "address", SETTING_ENDPOINT, AT(backend, address),
	  .help = "The mail server: 127.0.0.1:10025, host:25, unix:/path" },
	{ "maildir", SETTING_STRING, AT(backend, maildir), .fallback = "",
	  .help = "A folder to deliver to, instead of a server" },
	{ "protocol", SETTING_ENUM, AT(backend, protocol), .fallback = "smtp", .values = PROTOCOLS,
	  .help = "What the server speaks" },
	{ "client-info", SETTING_ENUM, AT(backend, client_info), .fallback = "none", .values = CLIENT_INFOS,
	  .help = "How the server is told who the client is; with none and xforward it takes us for the "
		  "client" },
	{ "tls", SETTING_ENUM, AT(backend, tls), .fallback = "opportunistic", .values = BACKEND_TLS,
	  .help = "STARTTLS to the server: never; if it offers it, and without where the handshake fails; always; always "
		  "and its certificate checked" },
	{ "tls-implicit", SETTING_BOOL, AT(backend, tls_implicit), .fallback = "no",
	  .help = "TLS from the first octet, as on port 465, instead of STARTTLS" },
	{ "tls-ca", SETTING_STRING, AT(backend, tls_ca), .fallback = "",
	  .help = "PEM file of the authorities to trust, and no others. Empty: the system's" },
	{ "tls-name", SETTING_STRING, AT(backend, tls_name), .fallback = "",
	  .help = "Name the server's certificate must have. Empty: the host of address" },
	{ "tls-min-version", SETTING_ENUM, AT(backend, tls_min_version), .fallback = "1.2", .values = TLS_VERSIONS,
	  .help = "Oldest version of TLS to speak with it" },
	{ "tls-ciphers", SETTING_STRING, AT(backend, tls_ciphers), .fallback = "",
	  .help = "TLS 1.2 ciphers to speak with it, in OpenSSL's form. Empty: OpenSSL's own choice" },
	{ "tls-fingerprints", SETTING_STRINGS, AT(backend, tls_fingerprints), .fallback = "",
	  .help = "SHA-256 of server certificates to trust, in hex" },
	{ "domains", SETTING_DOMAINS, AT(backend, domains), .fallback = "",
	  .help = "Domains of the recipients it takes. Empty: all" },
	{ "users", SETTING_STRINGS, AT(backend, users), .fallback = "",
	  .help = "Logins whose mail it takes: ada, @example.org for all logins that end so, * for all who "
		  "have authenticated. It goes before what domains say. Empty: everybody's" },
	{ "verify-with", SETTING_STRING, AT(backend, verify_with), .fallback = "",
	  .help = "Name of the backend section whose server is asked whether a recipient exists, for a server or "
		  "folder that takes any. Empty: the server that gets the mail is asked" },
	{ "verify-cache", SETTING_TIME, AT(backend, verify_cache), .fallback = "0", .max = 30 * DAY,
	  .help = "How long the state remembers that the server knows no such recipient (5.1.1 and its "
		  "like), and with verify-with also that it does: meanwhile it is not asked again. 0: asked each "
		  "time" },
	{ "priority", SETTING_INT, AT(backend, priority), .fallback = "10", .max = 65535,
	  .help = "Lower ones are used first" },
	{ "weight", SETTING_INT, AT(backend, weight), .fallback = "1", .min = 1, .max = 65535,
	  .help = "Share of the connections among those of one priority" },
	{ "connections", SETTING_INT, AT(backend, connections), .fallback = "8", .max = 10000,
	  .help = "Idle connections that each worker keeps for reuse; those above it end when nobody has needed them for a "
		  "second. 0: none is used twice" },
	{ "max-connections", SETTING_INT, AT(backend, max_connections), .fallback = "0", .max = 100000,
	  .help = "Connections that all workers together have at most at one time: each has its share of them, but at least "
		  "one. Who needs one more waits for it, up to connect-timeout, and gets 451 then. While a reload drains, "
		  "the workers that end have theirs too. 0: as many as there are clients" },
	{ "health-check", SETTING_TIME, AT(backend, health_check), .fallback = "60s", .max = DAY,
	  .help = "A server that nobody has had to do with for so long is connected to, to learn whether it "
		  "works and what it offers. 0: only while it fails" },
	{ "connect-timeout", SETTING_TIME, AT(backend, connect_timeout), .fallback = "30s", .min = 100,
	  .max = 5 * MINUTE,
	  .help = "How long connecting, the greeting included, may take" },
	{ "reply-timeout", SETTING_TIME, AT(backend, reply_timeout), .fallback = "60s", .min = 100,
	  .max = 30 * MINUTE,
	  .help = "How long a reply to a command may take" },
	{ "data-timeout", SETTING_TIME, AT(backend, data_timeout), .fallback = "5m", .min = 100, .max = HOUR,
	  .help = "How long the server may take nothing of the content, and how long its reply to the end may take. "
		  "All of the content may take ten times that" },
	{ "transparent", SETTING_BOOL, AT(backend, transparent), .fallback = "off",
	  .help = "Connect from the client's own address. The server's answers must be routed back here; whoever starts "
		  "us needs CAP_NET_ADMIN, the workers don't" },
	{ 0 },
};
const struct section config_backend_section = {
	"backend", true, sizeof(struct config_backend), BACKEND, "Where accepted mail goes",
};

static const struct setting RELAY[] = {
	{ "domains", SETTING_DOMAINS, AT(relay, domains), .fallback = "",
	  .help = "Domains whose mail we take; *.example.org for all below it" },
	{ "networks", SETTING_CIDRS, AT(relay, networks), .fallback = "",
	  .help = "Clients that may send to anybody" },
	{ "literals", SETTING_STRINGS, AT(relay, literals), .fallback = "",
	  .help = "Our own addresses that may stand for a domain: \"[192.0.2.1]\"" },
	{ 0 },
};
const struct section config_relay_section = {
	"relay", false, sizeof(struct config_relay), RELAY, "For whom and from whom mail is accepted",
};

static const struct setting DNS[] = {
	{ "forward", SETTING_STRINGS, AT(dns, forward), .fallback = "",
	  .help = "Resolvers to ask, as address or address@port. Empty: we ask the name servers of the "
		  "world ourselves" },
	{ "zone-file", SETTING_STRING, AT(dns, zone_file), .fallback = "",
	  .help = "Answer from this file alone, without any network (for tests)" },
	{ "timeout", SETTING_TIME, AT(dns, timeout), .fallback = "5s", .min = 10, .max = 2 * MINUTE,
	  .help = "How long a question may take; then it counts as a temporary error. While no server answers at all, "
		  "it is one at once" },
	{ "dnssec", SETTING_BOOL, AT(dns, dnssec), .fallback = "off",
	  .help = "Validate answers. Resolvers in forward must then pass DNSSEC on" },
	{ "trust-anchor", SETTING_STRING, AT(dns, trust_anchor), .fallback = "",
	  .help = "File with the root's keys. Empty: the system's" },
	{ 0 },
};
const struct section config_dns_section = { "dns", false, sizeof(struct config_dns), DNS, "Look-ups" };

static const struct setting RULES[] = {
	{ "paths", SETTING_STRINGS, AT(rules, paths), .fallback = "",
	  .help = "Rule files (*.cf), and folders of them, in order" },
	{ "cache", SETTING_STRING, AT(rules, cache), .fallback = "",
	  .help = "Folder for compiled rules, at most 256 MB. The first start goes on without the slow part, which is "
		  "compiled behind it. Empty: only what compiles at once is used" },
	{ "rule-budget", SETTING_TIME, AT(rules, rule_budget), .fallback = "100ms", .min = 1, .max = MINUTE,
	  .help = "How long one rule may take on one mail" },
	{ 0 },
};
const struct section config_rules_section = {
	"rules", false, sizeof(struct config_rules), RULES, "Rules in SpamAssassin's language",
};

static const struct setting NETWORKS[] = {
	{ "trusted", SETTING_CIDRS, AT(networks, trusted), .fallback = "127.0.0.0/8, ::1/128",
	  .help = "Relays whose Received lines are believed (SpamAssassin's trusted_networks)" },
	{ "internal", SETTING_CIDRS, AT(networks, internal), .fallback = "127.0.0.0/8, ::1/128",
	  .help = "Relays of our own (SpamAssassin's internal_networks)" },
	{ 0 },
};
const struct section config_networks_section = {
	"networks", false, sizeof(struct config_networks), NETWORKS, "Which relay of a mail is judged",
};

static const struct setting_value BARE_LFS[] = {
	{ "normalise", BARE_LF_NORMALISE }, { "refuse", BARE_LF_REFUSE }, { NULL, 0 },
};

static const struct setting LIMITS[] = {
	{ "message-size", SETTING_SIZE, AT(limits, message_size), .fallback = "50mb", .min = 1000,
	  .max = 4 * GIB,
	  .help = "Largest message" },
	{ "recipients", SETTING_INT, AT(limits, recipients), .fallback = "100", .min = 1, .max = 100000,
	  .help = "Recipients of a message. RFC 5321 asks for at least 100" },
	{ "sessions", SETTING_INT, AT(limits, sessions), .fallback = "10000", .min = 1, .max = 1000000,
	  .help = "Sessions at one time" },
	{ "sessions-per-client", SETTING_INT, AT(limits, sessions_per_client), .fallback = "50", .min = 1,
	  .max = 1000000,
	  .help = "Sessions of one client address at one time" },
	{ "messages", SETTING_INT, AT(limits, messages), .fallback = "1000", .min = 1, .max = 1000000,
	  .help = "Messages in one session" },
	{ "commands", SETTING_INT, AT(limits, commands), .fallback = "10000", .min = 1, .max = 10000000,
	  .help = "Commands in one session" },
	{ "errors", SETTING_INT, AT(limits, errors), .fallback = "20", .min = 1, .max = 100000,
	  .help = "Refused commands in one session" },
	{ "auth-failures", SETTING_INT, AT(limits, auth_failures), .fallback = "100", .max = 1000000,
	  .help = "Failed logins from one client address in an hour, over all its sessions; then AUTH gets 421. 0: any "
		  "number" },
	{ "unknown-commands", SETTING_INT, AT(limits, unknown_commands), .fallback = "5", .min = 1,
	  .max = 100000,
	  .help = "Unknown commands in one session" },
	{ "command-timeout", SETTING_TIME, AT(limits, command_timeout), .fallback = "300s", .min = 100,
	  .max = DAY,
	  .help = "Longest wait for a command" },
	{ "session-timeout", SETTING_TIME, AT(limits, session_timeout), .fallback = "2h", .min = 100,
	  .max = 7 * DAY,
	  .help = "Longest session" },
	{ "data-timeout", SETTING_TIME, AT(limits, data_timeout), .fallback = "3m", .min = 100, .max = HOUR,
	  .help = "Longest silence while the content comes in" },
	{ "end-deadline", SETTING_TIME, AT(limits, end_deadline), .fallback = "60s", .min = 100,
	  .max = 10 * MINUTE,
	  .help = "How long filters may take after the last octet; what is then not answered is a temporary "
		  "error" },
	{ "command-line", SETTING_SIZE, AT(limits, command_line), .fallback = "12k", .min = 512, .max = MIB,
	  .help = "Longest command line. RFC 4954 asks for 12288 octets where there is AUTH" },
	{ "text-line", SETTING_SIZE, AT(limits, text_line), .fallback = "1mb", .min = 1000, .max = GIB,
	  .help = "Longest line of content" },
	{ "memory-per-message", SETTING_SIZE, AT(limits, memory_per_message), .fallback = "256k", .max = GIB,
	  .help = "Content above it is held in a file" },
	{ "received-headers", SETTING_INT, AT(limits, received_headers), .fallback = "50", .min = 1,
	  .max = 1000,
	  .help = "More Received lines than this are a mail loop" },
	{ "headers", SETTING_INT, AT(limits, headers), .fallback = "1000", .min = 1, .max = 100000,
	  .help = "Header fields that are read" },
	{ "dns-questions", SETTING_INT, AT(limits, dns_questions), .fallback = "500", .min = 1,
	  .max = 100000,
	  .help = "Look-ups that one message may cause" },
	{ "tarpit", SETTING_TIME, AT(limits, tarpit), .fallback = "0", .max = MINUTE,
	  .help = "How long the command after a refused one waits. At most a tenth of sessions are made to "
		  "wait at one time" },
	{ "bare-lf", SETTING_ENUM, AT(limits, bare_lf), .fallback = "normalise", .values = BARE_LFS,
	  .help = "What becomes of line ends without CR in content" },
	{ 0 },
};
const struct section config_limits_section = {
	"limits", false, sizeof(struct config_limits), LIMITS, "Bounds on what a client may ask of us",
};

static const struct setting_value ON_ERRORS[] = { /* as enum on_error of filters/filter.h */
	{ "skip", 0 }, { "defer", 1 }, { NULL, 0 },
};

static const struct setting_value KEEP_MAILS[] = {
	{ "off", KEEP_NONE }, { "refused", KEEP_REFUSED }, { "all", KEEP_ALL }, { NULL, 0 },
};

static const struct setting_value STORE_SIZES[] = { { "usual", 0 }, { NULL, 0 } };

static const struct setting STATE[] = {
	{ "store", SETTING_STRING, AT(state, store), .fallback = "lmdb:/var/lib/gatehouse",
	  .help = "What greylisting, rates and reputations are kept in: lmdb:FOLDER, redis://host:port/db, "
		  "or memory:" },
	{ "store-size", SETTING_SIZE, AT(state, store_size), .fallback = "usual", .min = 4 * MIB, .max = 1e12,
	  .values = STORE_SIZES,
	  .help = "How large the store may be; what expires soonest is forgotten first. usual: 1gb, and 64mb for memory:. "
		  "Redis has a bound of its own (maxmemory, with maxmemory-policy volatile-ttl). A file that is there "
		  "already doesn't shrink" },
	{ "store-timeout", SETTING_TIME, AT(state, store_timeout), .fallback = "3s", .min = 10, .max = MINUTE,
	  .help = "How long the store may take to answer; then it counts as lost" },
	{ "directory", SETTING_STRING, AT(state, directory), .fallback = "/var/lib/gatehouse",
	  .help = "Folder of the spool, the journal and the quarantine" },
	{ "quarantine-keep", SETTING_TIME, AT(state, quarantine_keep), .fallback = "30d", .min = 1000,
	  .max = 3660 * DAY,
	  .help = "How long mail stays in the quarantine" },
	{ "quarantine-size", SETTING_SIZE, AT(state, quarantine_size), .fallback = "10gb", .max = 1e15,
	  .help = "What may be held there; above it the oldest goes first. 0: any amount" },
	{ "journal-size", SETTING_SIZE, AT(state, journal_size), .fallback = "256mb", .max = 1e15,
	  .help = "Size of the journal that gatehouse why reads; 0: none is kept" },
	{ "keep-mail", SETTING_ENUM, AT(state, keep_mail), .fallback = "off", .values = KEEP_MAILS,
	  .help = "Copies for gatehouse replay: of refused messages, of all, or of none, as they hold what "
		  "people write" },
	{ "keep-size", SETTING_SIZE, AT(state, keep_size), .fallback = "256mb", .min = 1000, .max = 1e15,
	  .help = "Size of these copies; above it the oldest goes first" },
	{ "on-error", SETTING_ENUM, AT(state, on_error), .fallback = "skip", .values = ON_ERRORS,
	  .help = "When the store doesn't answer: go on without it, or answer 451" },
	{ 0 },
};
const struct section config_state_section = {
	"state", false, sizeof(struct config_state), STATE, "What is remembered",
};

static const struct setting_value LOG_TARGETS[] = {
	{ "stderr", LOG_TO_STDERR }, { "syslog", LOG_TO_SYSLOG }, { "journal", LOG_TO_JOURNAL }, { NULL, 0 },
};
static const struct setting_value LOG_FORMATS[] = {
	{ "logfmt", LOG_LOGFMT }, { "json", LOG_JSON }, { NULL, 0 },
};
static const struct setting_value LOG_LEVELS[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DBG }, { NULL, 0 },
};

static const struct setting LOG[] = {
	{ "target", SETTING_ENUM, AT(log, target), .fallback = "stderr", .values = LOG_TARGETS,
	  .help = "Where log lines go" },
	{ "format", SETTING_ENUM, AT(log, format), .fallback = "logfmt", .values = LOG_FORMATS,
	  .help = "What they look like" },
	{ "level", SETTING_ENUM, AT(log, level), .fallback = "info", .values = LOG_LEVELS,
	  .help = "The least important ones that are written" },
	{ 0 },
};
const struct section config_log_section = { "log", false, sizeof(struct config_log), LOG, "Log lines" };

static const struct setting_value OFF[] = { { "off", -1 }, { NULL, 0 } };

static const struct setting POLICY[] = {
	{ "tag", SETTING_FLOAT, AT(policy, tag), .fallback = "5", .values = OFF,
	  .help = "Score from which a mail is marked as spam" },
	{ "quarantine", SETTING_FLOAT, AT(policy, quarantine), .fallback = "off", .values = OFF,
	  .help = "Score from which it goes to the quarantine" },
	{ "reject", SETTING_FLOAT, AT(policy, reject), .fallback = "12", .values = OFF,
	  .help = "Score from which it is refused" },
	{ "greylist", SETTING_FLOAT, AT(policy, greylist), .fallback = "off", .values = OFF,
	  .help = "Score from which a sender not yet known has to come again" },
	{ "redirect", SETTING_FLOAT, AT(policy, redirect), .fallback = "off", .values = OFF,
	  .help = "Score from which it goes to redirect-to, instead of its recipient" },
	{ "redirect-to", SETTING_STRING, AT(policy, redirect_to), .fallback = "",
	  .help = "The address that gets what is redirected. X-Gatehouse-Original-To says for whom it was" },
	{ "recipients", SETTING_STRINGS, AT(policy, recipients), .fallback = "",
	  .help = "Recipients it is for: user@example.org, @example.org, *.example.org" },
	{ "senders", SETTING_STRINGS, AT(policy, senders), .fallback = "",
	  .help = "Senders it is for, written likewise" },
	{ "users", SETTING_STRINGS, AT(policy, users), .fallback = "",
	  .help = "Logins it is for; * for all who have authenticated" },
	{ "listeners", SETTING_STRINGS, AT(policy, listeners), .fallback = "",
	  .help = "Names of listen and milter sections it is for" },
	{ "clients", SETTING_CIDRS, AT(policy, clients), .fallback = "",
	  .help = "Client addresses it is for" },
	{ "discard", SETTING_FLOAT, AT(policy, discard), .fallback = "off", .values = OFF,
	  .help = "Score from which a mail is taken and thrown away: the sender never learns of it" },
	{ "allow", SETTING_STRINGS, AT(policy, allow), .fallback = "",
	  .help = "Names of list sections: who stands in them is not refused. Domains and addresses count "
		  "only if SPF or DKIM vouches for them" },
	{ "deny", SETTING_STRINGS, AT(policy, deny), .fallback = "",
	  .help = "Names of list sections: who stands in them is refused, unless allow has it too" },
	{ "skip", SETTING_STRINGS, AT(policy, skip), .fallback = "",
	  .help = "Filters that are off for its mail: what they find doesn't count" },
	{ "use", SETTING_STRINGS, AT(policy, use), .fallback = "",
	  .help = "Filters that are on for its mail, though their own sections say enabled = off" },
	{ "scores", SETTING_STRINGS, AT(policy, scores), .fallback = "",
	  .help = "Other scores for symbols: SPF_FAIL=4.5" },
	{ "actions", SETTING_STRINGS, AT(policy, actions), .fallback = "",
	  .help = "What a symbol does by itself: SPF_FAIL=reject; one of none, tag, greylist (of senders that the "
		  "filter greylist doesn't know yet), redirect, quarantine, defer, reject, discard" },
	{ "replies", SETTING_STRINGS, AT(policy, replies), .fallback = "",
	  .help = "What clients are told, for a symbol, or for reject, deny, defer, greylist, "
		  "other-message (452) and disagree (451): "
		  "SPF_FAIL=550 5.7.23 SPF says no: {evidence} ({id}). \\n begins another line" },
	{ "subject-tag", SETTING_STRING, AT(policy, subject_tag), .fallback = "",
	  .help = "Put before the subject of what is marked as spam; {score} stands for the score" },
	{ "report", SETTING_BOOL, AT(policy, report), .fallback = "on",
	  .help = "X-Spam-Report on what is marked as spam: each finding with its evidence" },
	{ "shadow", SETTING_BOOL, AT(policy, shadow), .fallback = "off",
	  .help = "Not done, only noted: the next policy that matches decides" },
	{ 0 },
};
const struct section config_policy_section = {
	"policy", true, sizeof(struct config_policy), POLICY,
	"What happens at which score; the one named default is for all that no other matches",
};

static const struct setting_value LIST_TYPES[] = {
	{ "networks", LIST_NETWORKS }, { "addresses", LIST_ADDRESSES }, { "domains", LIST_DOMAINS },
	{ "patterns", LIST_PATTERNS }, { NULL, 0 },
};

static const struct setting LIST[] = {
	{ "type", SETTING_ENUM, AT(list, type), .values = LIST_TYPES, .required = true,
	  .help = "What its entries are: client addresses and networks; senders; domains of senders "
		  "(*.example.org for all below); senders with * and ?" },
	{ "file", SETTING_STRING, AT(list, file), .fallback = "",
	  .help = "A file with an entry a line; # begins a comment. Read with the configuration" },
	{ "entries", SETTING_STRINGS, AT(list, entries), .fallback = "", .help = "Further entries" },
	{ "shadow", SETTING_BOOL, AT(list, shadow), .fallback = "off",
	  .help = "What it would do is noted, not done" },
	{ 0 },
};
const struct section config_list_section = {
	"list", true, sizeof(struct config_list), LIST, "Clients or senders, for allow and deny of policies",
};

static const struct setting_value DNSLIST_TYPES[] = {
	{ "client", DNSLIST_CLIENT }, { "sender", DNSLIST_SENDER }, { "received", DNSLIST_RECEIVED },
	{ "uri", DNSLIST_URI }, { NULL, 0 },
};

static const struct setting_value USUAL[] = { { "usual", DNSLIST_SCORE_USUAL }, { NULL, 0 } };

static const struct setting DNSLIST[] = {
	{ "zone", SETTING_DOMAINS, AT(dnslist, zone), .fallback = "",
	  .help = "Its domain. Not needed for spamhaus-zen, spamhaus-dbl, spamcop, barracuda, psbl, dnswl, "
		  "surbl, uribl" },
	{ "type", SETTING_ENUM, AT(dnslist, type), .fallback = "client", .values = DNSLIST_TYPES,
	  .help = "What is looked up: the client's address, the domain of the envelope's sender, or the addresses "
		  "of the other relays outside our networks that Received names, or the domains of the URIs in "
		  "the text" },
	{ "score", SETTING_FLOAT, AT(dnslist, score), .fallback = "usual", .min = -1000, .max = 1000, .values = USUAL,
	  .help = "Score of who is listed, where no codes are written; below zero for a list of good ones. usual: "
		  "by the codes of a list known by name, 2 for others" },
	{ "codes", SETTING_STRINGS, AT(dnslist, codes), .fallback = "",
	  .help = "Scores by what the list answers: 127.0.0.2=3, 127.0.0.4/30=4, or by bits of the last "
		  "octet: &4=1.5. Those that fit add up" },
	{ "enabled", SETTING_BOOL, AT(dnslist, enabled), .fallback = "on", .help = "Whether it is asked" },
	{ "probe", SETTING_BOOL, AT(dnslist, probe), .fallback = "on",
	  .help = "It has to list its test entry, or it is dead and doesn't count" },
	{ "test-entry", SETTING_DOMAINS, AT(dnslist, test_entry), .fallback = "",
	  .help = "What it always lists. Empty: what RFC 5782 asks for, 127.0.0.2 (written 2.0.0.127) or test" },
	{ "shadow", SETTING_BOOL, AT(dnslist, shadow), .fallback = "off",
	  .help = "What it says is recorded, but has no effect" },
	{ 0 },
};
const struct section config_dnslist_section = {
	"dnslist", true, sizeof(struct config_dnslist), DNSLIST,
	"A DNS list to ask. None is asked without a section; mind the operator's terms of use",
};

const struct section *const config_sections[] = {
	&config_tls_section, &config_listen_section, &config_milter_section, &config_backend_section,
	&config_relay_section, &config_dns_section, &config_rules_section, &config_networks_section,
	&config_limits_section, &config_state_section, &config_log_section, &config_policy_section,
	&config_list_section, &config_dnslist_section, NULL,
};
