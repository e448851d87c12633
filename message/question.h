#ifndef GATEHOUSE_MESSAGE_QUESTION_H
#define GATEHOUSE_MESSAGE_QUESTION_H
/*
 * question, answer: how code that does no I/O asks for what it needs.
 *
 * A filter (or a rule) asks with ask_dns() and its like. The first time that
 * notes the question and returns NULL: not answered yet. The door's driver
 * takes the notes with questions_next(), gets the answers, and hands each in
 * with question_answer(). Asked again, the same question (same kind, name
 * without case, type) returns its answer at once. So a step is written as if
 * all answers were there, and gives up with STEP_NEED where one is NULL.
 *
 * Ask all you will need before giving up: what is asked in one step is in
 * flight together.
 *
 * Questions and answers live in the arena of their transaction.
 */
#include "base/answer.h"
#include "base/arena.h"
#include "base/store.h"
#include "message/phase.h"

enum question_kind {
	QUESTION_DNS,
	QUESTION_STORE,   /* an operation on the state store */
	QUESTION_JOB,     /* a function to run off the event loop */
	QUESTION_SCANNER, /* a virus scanner's word on the whole message */
};

struct job_request {
	void (*run)(void *arg); /* on a thread of the job pool, or where it stands */
	void *arg;
};

struct question {
	enum question_kind kind;
	enum phase needed;            /* the phase that can't end without the answer */
	const char *asker;            /* the filter's name; static */
	struct slice name;            /* DNS: the name as text, lower case, no final dot; STORE: the key */
	uint16_t type;                /* DNS */
	struct store_request store;
	struct job_request job;
	struct slice content;         /* SCANNER */
	bool sent;                    /* taken by the driver */
	const struct answer *answer;  /* NULL: not yet */
	uint32_t index;               /* within its questions: its id */
};

struct questions;

struct questions *questions_create(struct arena *arena);
/* Set before a step: who asks. Copied by pointer. */
void questions_asker(struct questions *qs, const char *asker);

/*
 * The answer, or NULL if there is none yet (noted then). name is text, in
 * any case, with or without a final dot; escapes of RFC 1035 5.1 ("\." and
 * "\032") stand for bytes in labels. A name that can't be asked (empty label,
 * label over 63, whole over 253 octets) is answered NXDOMAIN at once.
 */
const struct answer *ask_dns(struct questions *qs, struct slice name, enum dns_type type,
			     enum phase needed);
/* Not merged with an earlier equal request unless it has the same key, op and
 * asker: a step that is called again gets its own answer. */
const struct answer *ask_store(struct questions *qs, const struct store_request *request,
			       enum phase needed);
/* One job per (asker, run, arg). The scan does not change while it runs. */
const struct answer *ask_job(struct questions *qs, void (*run)(void *), void *arg,
			     enum phase needed);
/* content: the whole message; it has to stay as long as the questions. */
const struct answer *ask_scanner(struct questions *qs, struct slice content, enum phase needed);

/* For drivers: the next question not yet taken (marks it sent), or NULL. */
struct question *questions_next(struct questions *qs);
/* For drivers: by index, or NULL if there is no such one. */
struct question *questions_at(struct questions *qs, uint32_t index);
size_t questions_count(const struct questions *qs);
size_t questions_pending(const struct questions *qs); /* sent or not, without an answer */
/* Copies the answer deep into the arena. A second answer is ignored. */
void question_answer(struct questions *qs, uint32_t index, const struct answer *answer);
/* Answers all that is pending with ANSWER_TEMPERROR and this reason. */
void questions_give_up(struct questions *qs, const char *why);

/* True if the name can be asked at all (see ask_dns). */
bool dns_name_ok(struct slice name);
/* TXT rdata to one string, its parts joined without a space (RFC 7208 3.3). */
struct slice dns_txt(struct arena *arena, struct slice rdata);
/* The domain name at offset of the rdata (0 for PTR, NS, CNAME; 2 for MX) as
 * lower-case text without a final dot, escaped as ask_dns reads it; empty if
 * malformed. The root is ".". */
struct slice dns_name(struct arena *arena, struct slice rdata, size_t offset);
/* MX preference; 65535 if malformed. */
unsigned dns_mx_preference(struct slice rdata);
/* "1.2.0.192.in-addr.arpa" or the nibbles of ip6.arpa for a 4- or 16-byte
 * address, under another zone (a DNS list) if suffix is not empty. */
struct slice dns_reverse_name(struct arena *arena, struct slice address, struct slice suffix);
const char *dns_type_name(uint16_t type); /* "TXT"; "TYPE65" style for unknown ones is "?" */
const char *answer_status_name(enum answer_status status);

#endif
