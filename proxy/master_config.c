/* What a generation is made of: its configuration, sockets, certificates and user. */
#include <stdlib.h>
#include <unistd.h>

#include "filters/registry.h"
#include "policy/milter_address.h"
#include "proxy/folders.h"
#include "proxy/master_private.h"
#include "proxy/tls.h"

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; fds != NULL && i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
}

struct files { /* sockets and certificates of a configuration */
	int *listens, *milters, *tls;
};

static bool open_milters(struct master *m, struct config *config, int *fds)
{
	char error[200] = "not an address to listen on"; /* config_check has refused that */
	for (size_t i = 0; i < config->milter_count; i++) {
		const struct config_milter *milter = &config->milters[i];
		struct endpoint e;
		fds[i] = -1;
		if (milter_address_parse(config->arena, milter->address, &e))
			fds[i] = listen_sockets_get_for(m->sockets, &e, milter->socket_group,
							(mode_t)milter->socket_mode, error);
		if (fds[i] < 0) {
			log_error(NULL, "milter", "%.*s: %s", SLICE_ARG(milter->title), error);
			return false;
		}
	}
	return true;
}

/* False: said why. */
static bool open_files(struct master *m, struct config *config, struct files *f)
{
	char error[256];
	*f = (struct files){
		.listens = xcalloc(config->listen_count, sizeof(int)),
		.milters = xcalloc(config->milter_count, sizeof(int)),
		.tls = xcalloc(2 * config->tls_count, sizeof(int)),
	};
	for (size_t i = 0; i < config->listen_count; i++) {
		f->listens[i] = listen_sockets_get(m->sockets, &config->listens[i].address, error);
		if (f->listens[i] < 0) {
			log_error(NULL, "listen", "%s", error);
			return false;
		}
	}
	if (!open_milters(m, config, f->milters))
		return false;
	if (tls_files_open(config, f->tls, error))
		return true;
	log_error(NULL, "tls", "%s", error);
	return false;
}

static struct config *read_text(struct arena *arena, int out)
{
	struct config_errors errors = { .arena = arena };
	char *text;
	size_t len;
	if (!read_all(out, &text, &len))
		return NULL;
	struct config *config = config_read(arena, "-", slice_make(text, len), filter_sections(), &errors);
	free(text);
	return config;
}

void master_forget_config(struct master *m)
{
	free(m->listen_fds);
	free(m->milter_fds);
	close_all(m->tls_fds, m->config ? 2 * m->config->tls_count : 0);
	arena_destroy(&m->arena);
	if (m->config_fd >= 0)
		close(m->config_fd);
}

bool master_adopt(struct master *m, int out)
{
	struct arena *arena = arena_create();
	struct config *config = read_text(arena, out);
	struct identity identity;
	struct files files = { 0 };
	bool ok = config != NULL && identity_find(config->top->user, &identity) && workers_fit(m, config) &&
		  open_files(m, config, &files);
	if (!ok) {
		listen_sockets_undo(m->sockets);
		free(files.listens);
		free(files.milters);
		free(files.tls);
		arena_destroy(&arena);
		return false;
	}
	master_forget_config(m);
	m->arena = arena;
	m->config = config;
	m->config_fd = out;
	m->listen_fds = files.listens;
	m->milter_fds = files.milters;
	m->tls_fds = files.tls;
	m->identity = identity;
	m->generation++;
	m->images_wanted = config->rules->paths.count > 0 && config->rules->cache.len > 0;
	log_open((enum log_target)config->log->target, (enum log_format)config->log->format,
		 (enum log_level)config->log->level, "master");
	listen_sockets_sweep(m->sockets);
	folders_prepare(config, &identity);
	return true;
}

