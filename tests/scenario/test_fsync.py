"""250 for what we store ourselves comes behind the fsync of the file and of its folder, or not at all."""
import os
import subprocess

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const char *of)
{
	FILE *f = fopen(getenv("FSYNC_LOG"), "a");
	fprintf(f, "%s %s\n", what, of);
	fclose(f);
}

int fsync(int fd)
{
	char link[64], path[4096] = "";
	const char *fails = getenv("FSYNC_FAILS");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	note("fsync", path);
	if (fails != NULL && *fails != '\0' && strstr(path, fails) != NULL) {
		errno = EIO;
		return -1;
	}
	return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int rename(const char *from, const char *to)
{
	note("rename", to);
	return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	if (len > 13 && (memcmp(data, "250 2.0.0 Sto", 13) == 0 || memcmp(data, "250 2.0.0 Ok:", 13) == 0))
		note("said", "250");
	return ((ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send"))(fd, data, len, flags);
}
"""
BODY = b"From: ada@example.net\r\nSubject: s\r\n\r\nx\r\n"


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(folder / "shim.so"), str(folder / "shim.c"), "-ldl"], check=True)
    return folder / "shim.so"


def run(place, shim, fails, monkeypatch, backend=None, extra="", body=BODY):
    """The reply to a mail, and what happened since the mail began."""
    log = place / "calls"
    if "asan" in os.environ.get("GATEHOUSE", "") or "tsan" in os.environ.get("GATEHOUSE", ""):
        pytest.skip("a sanitizer's program takes no other's library before its own")
    with monkeypatch.context() as m:
        m.setenv("LD_PRELOAD", str(shim))
        m.setenv("FSYNC_LOG", str(log))
        m.setenv("FSYNC_FAILS", fails)
        g = Gatehouse(place / "g", backend=backend, top="sandbox = off", extra=extra)
        g.start()
    with g:
        log.write_text("")
        with Client(g.port) as c:
            c.hello()
            reply = c.mail(body=body)
        return g, reply, [line.split(" ", 1) for line in log.read_text().splitlines()]


def index(calls, what, part):
    return next(i for i, (did, of) in enumerate(calls) if did == what and part in of)


def test_maildir(tmp_path, shim, monkeypatch):
    g, (code, text), calls = run(tmp_path, shim, "", monkeypatch)
    assert code == 250, text
    order = [index(calls, "fsync", "/mail/tmp/"), index(calls, "rename", "/mail/new/"),
             next(i for i, (did, of) in enumerate(calls) if did == "fsync" and of.endswith("/mail/new")),
             index(calls, "said", "250")]
    assert order == sorted(order), calls
    assert len(g.delivered()) == 1


@pytest.mark.parametrize("where", ["/mail/tmp/", "/mail/new"])
def test_maildir_that_fails(tmp_path, shim, monkeypatch, where):
    g, (code, text), calls = run(tmp_path, shim, where, monkeypatch)
    assert 400 <= code < 500, text
    assert ["said", "250"] not in calls
    assert not g.delivered(), "the sender keeps it: it would come twice"


HOLD = {"extra": "policy default { quarantine = 0.5 }\n", "body": b"Subject: it has no From\r\n\r\nx\r\n"}


def test_quarantine(tmp_path, shim, monkeypatch):
    with FakeBackend() as backend:
        g, (code, text), calls = run(tmp_path, shim, "", monkeypatch, backend.port, **HOLD)
        assert (code, "held" in text) == (250, True), (text, g.log())
        assert index(calls, "fsync", "/quarantine") < index(calls, "rename", "/quarantine") < index(calls, "said", "250"), calls
        renamed = index(calls, "rename", "/quarantine")
        assert any(did == "fsync" and of.rstrip("/").endswith("quarantine") for did, of in calls[renamed:]), calls
        assert not backend.messages


def test_quarantine_that_fails(tmp_path, shim, monkeypatch):
    with FakeBackend() as backend:
        g, (code, text), calls = run(tmp_path, shim, "/quarantine", monkeypatch, backend.port, **HOLD)
        assert 400 <= code < 500, (text, g.log())
        assert ["said", "250"] not in calls and not backend.messages
