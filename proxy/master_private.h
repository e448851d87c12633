#ifndef GATEHOUSE_PROXY_MASTER_PRIVATE_H
#define GATEHOUSE_PROXY_MASTER_PRIVATE_H
/* What master.c (signals and orders), master_workers.c (their lives) and master_config.c (what they are given) share. */
#include <event2/event.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/control.h"
#include "proxy/listen_sockets.h"
#include "proxy/spawn.h"
#include "proxy/stats.h"

#define WORKER_ROWS 64u     /* workers of all generations alive at one time */

struct worker_kind;

struct worker_process {
	struct worker_process *next;
	const struct worker_kind *kind;
	size_t index;            /* of its milter section */
	struct master *master;
	pid_t pid;               /* 0: to be started again */
	unsigned row;
	uint64_t generation;
	int control;
	struct event *readable, *restart;
	bool ready, draining;
	bool transparent;        /* its configuration asks for sockets with clients' addresses */
	int64_t started_ms;
	int64_t backoff_ms;
};

struct master {
	struct event_base *base;
	struct event *signals[4], *stop_timer;
	const char *path;
	struct arena *arena;     /* of config */
	struct config *config;
	int config_fd;
	int *listen_fds;         /* as config->listens; the set's */
	int *milter_fds;         /* as config->milters; the set's */
	int *tls_fds;            /* certificate and key of each of config->tls */
	struct identity identity;
	struct listen_sockets *sockets;
	struct stats *stats;
	int stats_fd;
	struct control *control;
	struct worker_process *workers;
	uint64_t generation;
	pid_t compiler;
	int compiler_out;
	pid_t images;            /* compiles what makes rules faster, behind the workers */
	bool images_wanted;      /* of this configuration; not begun */
	uint64_t images_generation;
	bool stopping, announced, failed;
	bool reload_again;       /* SIGHUP came while the compiler was reading */
	time_t started;
};

/* ---- master_workers.c */

/* Is there room for a generation of that configuration beside what still runs?
 * False: said why. */
bool workers_fit(const struct master *m, const struct config *config);
/* ready: of this generation, and accepting. */
void workers_count(const struct master *m, unsigned *ready_r, unsigned *all_r);
/* Those of the configuration in force; workers_fit said yes. */
void workers_start(struct master *m);
/* Tells all of them to finish what they are at and to end. */
void workers_stop(struct master *m);
void workers_kill(struct master *m);
/* waitpid(2) says so. */
void workers_reap(struct master *m, pid_t pid, int status);
void workers_forget(struct master *m);

/* ---- master.c */

/* Begins to compile rule images, if the configuration is new and has a place to keep them. */
void images_start(struct master *m);

/* ---- master_config.c */

/* Takes the checked text of a compiler that has ended as the new generation's,
 * with all it needs. False: said why; the old one stays, and out is the caller's. */
bool master_adopt(struct master *m, int out);
void master_forget_config(struct master *m);

#endif
