#include "proxy/worker_setup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "filters/registry.h"
#include "message/decoded.h"
#include "proxy/rules_setup.h"
#include "proxy/spawn.h"
#include "proxy/worker_fds.h"

void worker_ignore_signals(void)
{
	static const int numbers[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM,
		SIGXFSZ /* a full limit is an error of write(2), and a 452 */ };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		signal(numbers[i], SIG_IGN);
}

static void print_errors(const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		fprintf(stderr, "worker: %.*s:%u: %.*s\n", SLICE_ARG(errors->list[i].file), errors->list[i].line,
			SLICE_ARG(errors->list[i].message));
}

struct snapshot *worker_snapshot(uint64_t generation)
{
	char *text;
	size_t len;
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	if (!read_all(WORKER_FD_CONFIG, &text, &len))
		return NULL;
	struct config *config = config_read(arena, "-", slice_make(text, len), filter_sections(), &errors);
	free(text);
	print_errors(&errors);
	if (config == NULL)
		return NULL;
	errors.count = 0;
	/* Checked by the compiler: what is wrong with a rule now is a file that changed since. */
	struct ruleset *rules = rules_setup(config, &errors);
	print_errors(&errors);
	return snapshot_create(config, rules, generation);
}

struct slice worker_spool(const struct config *config)
{
	struct slice folder = config->state->directory;
	return folder.len > 0 && access(folder.data, W_OK | X_OK) == 0 ? folder : SLICE("/tmp");
}

void worker_enter_sandbox(const struct config *config, bool delivers)
{
	struct slice store = config->state->store, *folders;
	char error[200];
	size_t count = 0;
	message_decode_preload();
	if (!config->top->sandbox)
		return;
	folders = xcalloc(config->backend_count + 3, sizeof(*folders));
	folders[count++] = config->state->directory;
	folders[count++] = worker_spool(config);
	if (slice_starts(store, SLICE("lmdb:")))
		folders[count++] = slice_from(store, 5);
	for (size_t i = 0; delivers && i < config->backend_count; i++)
		folders[count++] = config->backends[i].maildir;
	sandbox_enter(folders, count, error);
	if (error[0] != '\0')
		log_warn(NULL, "sandbox", "%s", error);
	free(folders);
}

void worker_say_ready(void)
{
	const char ready = CONTROL_READY;
	send(WORKER_FD_CONTROL, &ready, 1, MSG_NOSIGNAL);
}
