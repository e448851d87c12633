#include "proxy/stats.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

#define CLIENT_SLOTS 65536u

struct row {
	_Atomic int64_t counters[STATS];
	_Atomic uint16_t clients[CLIENT_SLOTS];
};

struct stats {
	unsigned rows;
	struct row *row; /* shared */
};

static const char *const names[STATS] = {
	[STAT_SESSIONS] = "sessions",
	[STAT_SESSIONS_NOW] = "sessions_now",
	[STAT_SESSIONS_REFUSED] = "sessions_refused",
	[STAT_MESSAGES] = "messages",
	[STAT_ACCEPTED] = "accepted",
	[STAT_TAGGED] = "tagged",
	[STAT_REJECTED] = "rejected",
	[STAT_DEFERRED] = "deferred",
	[STAT_QUARANTINED] = "quarantined",
	[STAT_REDIRECTED] = "redirected",
	[STAT_RCPT_REFUSED] = "recipients_refused",
	[STAT_RELAY_DENIED] = "relay_denied",
	[STAT_BACKEND_FAILURES] = "backend_failures",
	[STAT_BYTES_IN] = "bytes_in",
	[STAT_DNS_QUESTIONS] = "dns_questions",
	[STAT_RULES_CUT_OFF] = "rules_cut_off",
	[STAT_DNSLISTS_SUSPENDED] = "dnslists_suspended",
	[STAT_LOOP_STALLS] = "loop_stalls",
	[STAT_LOOP_WORST_US] = "loop_worst_us",
};

const char *stat_name(enum counter counter)
{
	return names[counter];
}

static struct stats *map(int fd, unsigned rows)
{
	void *p = mmap(NULL, rows * sizeof(struct row), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	struct stats *stats = xcalloc(1, sizeof(*stats));
	stats->rows = rows;
	stats->row = p;
	return stats;
}

struct stats *stats_create(unsigned rows, int *fd_r)
{
	int fd = memfd_create("gatehouse-stats", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(rows * sizeof(struct row))) != 0)
		return NULL;
	*fd_r = fd;
	return map(fd, rows);
}

struct stats *stats_attach(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct row))
		return NULL;
	return map(fd, (unsigned)((size_t)st.st_size / sizeof(struct row)));
}

void stats_destroy(struct stats **stats)
{
	if (*stats == NULL)
		return;
	munmap((*stats)->row, (*stats)->rows * sizeof(struct row));
	free(*stats);
	*stats = NULL;
}

void stats_add(struct stats *stats, unsigned row, enum counter counter, int64_t amount)
{
	if (stats != NULL)
		atomic_fetch_add_explicit(&stats->row[row].counters[counter], amount, memory_order_relaxed);
}

void stats_max(struct stats *stats, unsigned row, enum counter counter, int64_t value)
{
	if (stats != NULL && atomic_load_explicit(&stats->row[row].counters[counter], memory_order_relaxed) < value)
		atomic_store_explicit(&stats->row[row].counters[counter], value, memory_order_relaxed);
}

void stats_set(struct stats *stats, unsigned row, enum counter counter, int64_t value)
{
	if (stats != NULL)
		atomic_store_explicit(&stats->row[row].counters[counter], value, memory_order_relaxed);
}

int64_t stats_total(const struct stats *stats, enum counter counter)
{
	int64_t total = 0;
	for (unsigned i = 0; i < stats->rows; i++) {
		int64_t v = atomic_load_explicit(&stats->row[i].counters[counter], memory_order_relaxed);
		if (counter == STAT_LOOP_WORST_US || counter == STAT_DNSLISTS_SUSPENDED)
			total = v > total ? v : total;
		else
			total += v;
	}
	return total;
}

void stats_clear_now(struct stats *stats, unsigned row)
{
	atomic_store(&stats->row[row].counters[STAT_SESSIONS_NOW], 0);
	atomic_store(&stats->row[row].counters[STAT_DNSLISTS_SUSPENDED], 0);
	for (unsigned i = 0; i < CLIENT_SLOTS; i++)
		atomic_store_explicit(&stats->row[row].clients[i], 0, memory_order_relaxed);
}

unsigned stats_client(struct stats *stats, unsigned row, const struct ip *ip, int delta)
{
	if (stats == NULL)
		return 0;
	unsigned slot = (unsigned)(slice_hash(ip_slice(ip)) % CLIENT_SLOTS), sum = 0;
	atomic_fetch_add_explicit(&stats->row[row].clients[slot], (uint16_t)delta, memory_order_relaxed);
	for (unsigned i = 0; i < stats->rows; i++)
		sum += atomic_load_explicit(&stats->row[i].clients[slot], memory_order_relaxed);
	return sum;
}
