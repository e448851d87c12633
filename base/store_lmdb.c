/*
 * The store in LMDB (the one module that includes it), shared by processes.
 *
 * Two tables: entries (key → times, count, value), and by_expiry (big-endian
 * time, key → nothing), which tells what goes first. Each batch is one
 * transaction with one flush; the meta page's flush is left to the next
 * (MDB_NOMETASYNC): a power cut may undo the last commit, no more. A process
 * that dies within a transaction leaves nothing of it: LMDB's lock is robust.
 *
 * Half of the map is for entries; the rest is room for the pages that
 * transactions copy and can't use again at once. Should even that be full, we
 * make room in small transactions and try again.
 */
#include <endian.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/store_backend.h"
#include "base/store_batch.h"

#define DEFAULT_TIMEOUT_MS 3000
#define DEFAULT_MAX_SIZE (1ull << 30)
#define MIN_MAX_SIZE (1ull << 22)
#define READERS_MAX 512
#define FOLDER_MODE 0700
#define FILE_MODE 0600
#define VALUE_MAX 65536u
#define KEY_MAX 503     /* with a time before it, LMDB's 511 */
#define KEY_KEPT 487    /* of a longer one; then two hashes */
#define STEP 64         /* entries taken out at a time: each costs copied pages */
#define RECOVER_STEPS 1000

struct lmdb {
	struct store store;
	MDB_env *env;
	MDB_dbi entries, by_expiry;
	uint64_t size_limit;   /* of the pages in use */
	bool failing;          /* logged once */
	struct batch *batch;
};

/* Before the value, in the machine's byte order: the file does not travel. */
struct header {
	int64_t expires, set_at, count;
};

struct key {
	uint8_t bytes[8 + KEY_MAX]; /* the expiry time's place, then the key */
	size_t len;                 /* of the key */
};

/* --- one entry --- */

static void make_key(struct key *key, struct slice text)
{
	size_t kept = text.len <= KEY_MAX ? text.len : KEY_KEPT;
	if (kept > 0)
		memcpy(key->bytes + 8, text.data, kept);
	key->len = kept;
	if (kept == text.len)
		return;
	uint64_t hashes[2] = { slice_hash(text), slice_hash(slice_from(text, 1)) };
	memcpy(key->bytes + 8 + kept, hashes, sizeof(hashes));
	key->len += sizeof(hashes);
}

static MDB_val entry_key(struct key *key)
{
	return (MDB_val){ key->len, key->bytes + 8 };
}

static MDB_val expiry_key(struct key *key, int64_t expires)
{
	uint64_t big = htobe64((uint64_t)expires);
	memcpy(key->bytes, &big, 8);
	return (MDB_val){ 8 + key->len, key->bytes };
}

/* MDB_NOTFOUND: there is none. The value points into the map. */
static int get(struct lmdb *l, MDB_txn *txn, struct key *key, struct store_entry *entry_r)
{
	MDB_val k = entry_key(key), v;
	struct header header;
	int error = mdb_get(txn, l->entries, &k, &v);
	if (error != 0)
		return error;
	if (v.mv_size < sizeof(header))
		return MDB_CORRUPTED;
	memcpy(&header, v.mv_data, sizeof(header));
	*entry_r = (struct store_entry){
		.set_at = header.set_at, .expires = header.expires, .count = header.count,
		.value = slice_make((char *)v.mv_data + sizeof(header), v.mv_size - sizeof(header)),
	};
	return 0;
}

static int remove_entry(struct lmdb *l, MDB_txn *txn, struct key *key, int64_t expires)
{
	MDB_val k = entry_key(key), e = expiry_key(key, expires);
	int error = mdb_del(txn, l->by_expiry, &e, NULL);
	if (error == 0 || error == MDB_NOTFOUND)
		error = mdb_del(txn, l->entries, &k, NULL);
	return error == MDB_NOTFOUND ? 0 : error;
}

/* old: what is there now, or NULL. The entry's value may be the old one's. */
static int put(struct lmdb *l, MDB_txn *txn, struct key *key, const struct store_entry *old,
	       const struct store_entry *entry)
{
	struct header header = { entry->expires, entry->set_at, entry->count };
	int error = 0;
	MDB_val k = entry_key(key), nothing = { 0, NULL };
	MDB_val v = { sizeof(header) + entry->value.len, NULL };
	char *bytes = xmalloc(v.mv_size); /* a write may move what the old value points to */
	memcpy(bytes, &header, sizeof(header));
	if (entry->value.len > 0)
		memcpy(bytes + sizeof(header), entry->value.data, entry->value.len);
	v.mv_data = bytes;
	bool moved = old == NULL || old->expires != entry->expires;
	if (moved && old != NULL) {
		MDB_val e = expiry_key(key, old->expires);
		error = mdb_del(txn, l->by_expiry, &e, NULL);
		error = error == MDB_NOTFOUND ? 0 : error;
	}
	if (moved && error == 0) {
		MDB_val e = expiry_key(key, entry->expires);
		error = mdb_put(txn, l->by_expiry, &e, &nothing, 0);
	}
	if (error == 0)
		error = mdb_put(txn, l->entries, &k, &v, 0);
	free(bytes);
	return error;
}

static int apply(struct lmdb *l, MDB_txn *txn, struct batch_op *op, bool write)
{
	struct key key;
	struct store_entry there = { .expires = 0 }, entry;
	struct answer answer = { .status = ANSWER_TEMPERROR, .why = "store: value too long" };
	make_key(&key, op->request.key);
	if (op->request.value.len > VALUE_MAX) {
		batch_op_answer(op, &answer);
		return 0;
	}
	int error = get(l, txn, &key, &there);
	if (error != 0 && error != MDB_NOTFOUND)
		return error;
	bool old = error == 0, live = old && there.expires > op->now;
	enum store_change change = store_apply(&op->request, op->now, live ? &there : NULL, &entry, &answer);
	batch_op_answer(op, &answer);
	if (!write || change == STORE_UNCHANGED)
		return 0;
	if (change == STORE_REMOVE)
		return remove_entry(l, txn, &key, there.expires);
	return put(l, txn, &key, old ? &there : NULL, &entry);
}

/* --- making room --- */

static uint64_t pages_used(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat s;
	if (mdb_stat(txn, dbi, &s) != 0)
		return 0;
	return (s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages) * (uint64_t)s.ms_psize;
}

static uint64_t size_used(struct lmdb *l, MDB_txn *txn)
{
	return pages_used(txn, l->entries) + pages_used(txn, l->by_expiry);
}

static bool is_full(struct lmdb *l, MDB_txn *txn)
{
	return size_used(l, txn) > l->size_limit;
}

/* Takes out at most that many entries that expire at `until` or before, the
 * soonest first. */
static int take_out(struct lmdb *l, MDB_txn *txn, int64_t until, unsigned most, unsigned *count_r)
{
	MDB_cursor *cursor;
	MDB_val e, nothing;
	int error = mdb_cursor_open(txn, l->by_expiry, &cursor);
	*count_r = 0;
	if (error != 0)
		return error;
	while (*count_r < most && (error = mdb_cursor_get(cursor, &e, &nothing, MDB_FIRST)) == 0) {
		uint64_t expires;
		if (e.mv_size < sizeof(expires))
			error = MDB_CORRUPTED;
		else
			memcpy(&expires, e.mv_data, sizeof(expires));
		if (error != 0 || (int64_t)be64toh(expires) > until)
			break;
		MDB_val k = { e.mv_size - 8, (char *)e.mv_data + 8 };
		error = mdb_del(txn, l->entries, &k, NULL);
		if (error == 0 || error == MDB_NOTFOUND)
			error = mdb_cursor_del(cursor, 0);
		if (error != 0)
			break;
		++*count_r;
	}
	mdb_cursor_close(cursor);
	return error == MDB_NOTFOUND ? 0 : error;
}

/* More than came in. */
static int make_room(struct lmdb *l, MDB_txn *txn, int64_t now, size_t came)
{
	unsigned most = STEP + 2 * (unsigned)came, count;
	int error = take_out(l, txn, now, most, &count);
	if (error == 0 && is_full(l, txn))
		error = take_out(l, txn, INT64_MAX, most, &count);
	return error;
}

/* After MDB_MAP_FULL: takes a quarter of the entries out, step by step. The
 * pages of one step can be used two steps later. */
static int recover(struct lmdb *l)
{
	int error = 0;
	bool enough = false;
	for (int i = 0; i < RECOVER_STEPS && error == 0 && !(enough && i > 2); i++) {
		MDB_txn *txn;
		unsigned count;
		error = mdb_txn_begin(l->env, NULL, 0, &txn);
		if (error != 0)
			return error;
		error = take_out(l, txn, INT64_MAX, STEP, &count);
		enough = count == 0 || size_used(l, txn) < l->size_limit / 4 * 3;
		if (error == 0)
			error = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	return error;
}

/* --- batches, on the thread --- */

static bool writes(const struct store_request *r)
{
	return r->op != STORE_GET || r->touch;
}

static int run_ops(struct lmdb *l, MDB_txn *txn, struct batch_op *const *ops, size_t count, bool write)
{
	int error = 0;
	int64_t now = 0;
	for (size_t i = 0; i < count && error == 0; i++) {
		error = apply(l, txn, ops[i], write);
		now = ops[i]->now > now ? ops[i]->now : now;
	}
	if (error == 0 && write)
		error = make_room(l, txn, now, count);
	return error;
}

static int run_txn(struct lmdb *l, struct batch_op *const *ops, size_t count, bool write)
{
	MDB_txn *txn;
	int error = mdb_txn_begin(l->env, NULL, write ? 0 : MDB_RDONLY, &txn);
	if (error != 0)
		return error;
	error = run_ops(l, txn, ops, count, write);
	if (error == 0 && write)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

/* Readers that died would keep old pages from being used again. */
static void tidy(struct lmdb *l)
{
	int dead;
	mdb_reader_check(l->env, &dead);
}

static void fail(struct lmdb *l, struct batch_op *const *ops, size_t count, int error)
{
	const struct answer failed = { .status = ANSWER_TEMPERROR,
				       .why = error == MDB_MAP_FULL ? "store: full" : "store: error" };
	for (size_t i = 0; i < count; i++)
		batch_op_answer(ops[i], &failed);
	if (!l->failing)
		log_error(NULL, "store failed", "%s", mdb_strerror(error));
	l->failing = true;
}

static void run_batch(void *context, struct batch_op *const *ops, size_t count)
{
	struct lmdb *l = context;
	bool write = false;
	if (count == 0) {
		tidy(l);
		return;
	}
	for (size_t i = 0; i < count; i++)
		write |= writes(&ops[i]->request);
	int error = run_txn(l, ops, count, write);
	if (error == MDB_MAP_FULL && recover(l) == 0)
		error = run_txn(l, ops, count, write);
	if (error != 0)
		fail(l, ops, count, error);
	else
		l->failing = false;
}

/* --- making one --- */

static int open_tables(struct lmdb *l)
{
	MDB_txn *txn;
	int error = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (error != 0)
		return error;
	error = mdb_dbi_open(txn, "entries", MDB_CREATE, &l->entries);
	if (error == 0)
		error = mdb_dbi_open(txn, "by_expiry", MDB_CREATE, &l->by_expiry);
	if (error == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

static int open_env(struct lmdb *l, const char *folder, uint64_t max_size)
{
	if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
		return errno;
	int error = mdb_env_create(&l->env);
	if (error == 0)
		error = mdb_env_set_mapsize(l->env, max_size);
	if (error == 0)
		error = mdb_env_set_maxdbs(l->env, 2);
	if (error == 0)
		error = mdb_env_set_maxreaders(l->env, READERS_MAX);
	if (error == 0)
		error = mdb_env_open(l->env, folder, MDB_NOMETASYNC | MDB_NOTLS, FILE_MODE);
	return error == 0 ? open_tables(l) : error;
}

static void lmdb_close(struct store *store)
{
	struct lmdb *l = (struct lmdb *)store;
	batch_destroy(&l->batch);
	if (l->env != NULL)
		mdb_env_close(l->env);
	free(l);
}

static struct store *lmdb_open(struct event_base *base, const struct store_config *config, struct slice rest,
			       char error_r[STORE_ERROR_MAX])
{
	struct lmdb *l = xcalloc(1, sizeof(*l));
	char *folder = strndup(rest.data, rest.len);
	uint64_t max_size = config->max_size ? config->max_size : DEFAULT_MAX_SIZE;
	max_size = max_size < MIN_MAX_SIZE ? MIN_MAX_SIZE : max_size / 4096 * 4096;
	l->store.backend = &store_lmdb;
	l->size_limit = max_size / 2;
	int error = open_env(l, folder, max_size);
	if (error == 0) {
		l->batch = batch_create(base, config->timeout > 0 ? config->timeout : DEFAULT_TIMEOUT_MS,
					run_batch, l);
		error = l->batch == NULL ? errno : 0;
	}
	if (error != 0) {
		snprintf(error_r, STORE_ERROR_MAX, "store in %.200s: %s", folder, mdb_strerror(error));
		lmdb_close(&l->store);
		l = NULL;
	}
	free(folder);
	return l != NULL ? &l->store : NULL;
}

static struct store_query *lmdb_ask(struct store *store, const struct store_request *request, int64_t now,
				    store_done_fn *done, void *arg)
{
	return batch_ask(((struct lmdb *)store)->batch, request, now, done, arg);
}

static void lmdb_cancel(struct store *store, struct store_query *query)
{
	batch_cancel(((struct lmdb *)store)->batch, query);
}

const struct store_backend store_lmdb = {
	.scheme = "lmdb", .open = lmdb_open, .close = lmdb_close, .ask = lmdb_ask, .cancel = lmdb_cancel,
};
