"""Processes: reload under load, bad configuration, drain, status, and what a service manager asks."""
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import PROGRAM, TOP, Client, Gatehouse, free_port, wait_for_port


def reload(g, seconds=20):
    since = len(g.lines)
    g.process.send_signal(signal.SIGHUP)
    assert g.wait_log(r"msg=.?ready|\bready\b.*generation", seconds, since), g.log()


def in_data(port):
    """A session in the midst of its content."""
    c = Client(port)
    c.hello()
    assert c.code("MAIL FROM:<a@example.net>") == 250
    assert c.code("RCPT TO:<b@example.org>") == 250
    assert c.code("DATA") == 354
    c.send("Subject: slow\r\n\r\nfirst half\r\n")
    return c


def finish(c):
    c.send("second half\r\n.\r\n")
    return c.reply()[0]


def test_reload_drops_nobody(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, workers=2) as g:
        halves = [in_data(g.port) for _ in range(8)]
        idle = Client(g.port)
        idle.hello()
        before = set(g.worker_pids())
        stop, codes = threading.Event(), []

        def load():
            while not stop.is_set():
                try:
                    with Client(g.port) as c:
                        c.hello()
                        codes.append(c.mail()[0])
                except OSError as e:
                    codes.append(repr(e))
        threads = [threading.Thread(daemon=True, target=load) for _ in range(3)]
        for t in threads:
            t.start()
        for _ in range(4):
            reload(g)
        stop.set()
        for t in threads:
            t.join(20)
        assert len(codes) > 20 and set(codes) == {250}, codes
        assert before <= set(g.worker_pids()), "they have sessions still"
        assert [finish(c) for c in halves] == [250] * 8
        assert all(h.mail()[0] == 250 for h in halves), "a session goes on with what it began with"
        assert idle.mail()[0] == 250
        for c in [*halves, idle]:
            assert c.code("QUIT") == 221
            c.close()
        end = time.time() + 10
        while before & set(g.worker_pids()) and time.time() < end:
            time.sleep(0.05)
        assert not before & set(g.worker_pids()), "old workers end with their last session"
        status = g.status()
        assert status["generation"] == 5 and status["workers"] == 2


def test_new_settings_are_for_new_sessions(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, domains="example.org") as g:
        old = Client(g.port)
        old.hello()
        g.conf.write_text(g.text.replace("domains = {example.org}", "domains = {other.example}"))
        reload(g)
        with Client(g.port) as c:
            c.hello()
            assert c.mail(rcpt="b@other.example")[0] == 250
            assert c.mail(rcpt="b@example.org")[0] == 550
        assert old.mail(rcpt="b@example.org")[0] == 250
        old.close()


def test_drain_time_bounds_a_reload(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        g.conf.write_text(g.text.replace("drain-timeout = 5s", "drain-timeout = 1s"))
        reload(g)
        c = in_data(g.port)
        old = set(g.worker_pids())
        reload(g)
        end = time.time() + 8
        while old & set(g.worker_pids()) and time.time() < end:
            time.sleep(0.05)
        assert not old & set(g.worker_pids())
        assert c.reply()[0] == 0
        assert not b.messages


@pytest.mark.parametrize("bad,says", [
    ("hostnam = x", r"gatehouse.conf:\d+: .*hostnam"),
    ("limits { recipients = none }", r"gatehouse.conf:\d+: "),
    ("listen second { address = 192.0.2.77:25 }", "192.0.2.77"),
    ('tls default { certificate = "/nowhere.pem" }', "nowhere"),
    ("listen second { address = 127.0.0.1:1 backends = {nobody} }", "nobody")])
def test_bad_configuration_is_refused(place, bad, says):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        before = set(g.worker_pids())
        since = len(g.lines)
        g.conf.write_text(g.text + bad + "\n")
        g.process.send_signal(signal.SIGHUP)
        assert g.wait_log("refused; the old configuration stays", 20, since), g.log()
        assert g.wait_log(says, 1, since), g.log()
        if says.startswith("gatehouse.conf"):  # others only the master can know
            told = subprocess.run([PROGRAM, "reload", "-c", str(g.conf)], capture_output=True, text=True)
            assert told.returncode == 78 and re.search(says, told.stderr) and "(null)" not in told.stderr, told
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
        g.conf.write_text(g.text)  # and once it is mended, it works
        assert set(g.worker_pids()) == before and g.status()["generation"] == 1
        reload(g)
        assert g.status()["generation"] == 2


def test_terminate_drains(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        c = in_data(g.port)
        idle = Client(g.port)
        idle.hello()
        g.process.send_signal(signal.SIGTERM)
        code, text = idle.reply()
        assert code == 421 and text.startswith("4.3.2")
        end = time.time() + 5
        while time.time() < end:
            try:
                socket.create_connection(("127.0.0.1", g.port), 1).close()
                time.sleep(0.05)
            except OSError:
                break
        else:
            pytest.fail("connections are still taken")
        assert g.process.poll() is None, "a mail is under way"
        assert finish(c) == 250 and len(b.messages) == 1
        assert c.reply()[0] == 421
        assert g.process.wait(10) == 0


def test_status(place):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250
            assert c.mail(rcpt="x@elsewhere.example")[0] == 550
            status = g.status()
            assert status["workers"] == 1 and status["generation"] == 1
            names = {k: v for k, v in status.items() if isinstance(v, int)}
            assert names["sessions_now"] == 1 and names["accepted"] == 1 and names["recipients_refused"] == 1, status
            assert names["relay_denied"] == 1 and names["dns_questions"] > 0, status
            c.code("MAIL FROM:<a@example.net>")
            assert c.code("RCPT TO:<b@elsewhere.example@example.org>") == 550
            names = g.status()
            assert names["relay_denied"] == names["recipients_refused"] == 2, names
        text = subprocess.run([PROGRAM, "status", "-c", str(g.conf)], capture_output=True, text=True)
        assert text.returncode == 0 and "generation" in text.stdout
        since = len(g.lines)
        assert subprocess.run([PROGRAM, "reload", "-c", str(g.conf)], capture_output=True).returncode == 0
        assert g.wait_log("ready", 20, since)
        assert g.stop() == 0
        assert subprocess.run([PROGRAM, "status", "-c", str(g.conf)], capture_output=True).returncode == 69


def test_a_worker_that_dies_again_and_again(place):
    """Another comes each time, later each time; meanwhile those who wait at the door are served once it is there."""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        waits = []
        for _ in range(4):
            since = len(g.lines)
            (pid,) = g.worker_pids()
            os.kill(pid, signal.SIGKILL)
            line = g.wait_log(rf"pid {pid} .*another in \d+ ms", 10, since)
            assert line, g.log()
            waits.append(int(re.search(r"another in (\d+) ms", line).group(1)))
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
        assert waits == [100, 200, 400, 800]
        assert g.status()["workers"] == 1 and g.status()["sessions_now"] <= 1


def test_workers_are_nobody(place):
    """Started as root they are the user's that the configuration names, for good, and leave no core."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    place.chmod(0o755)
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, top="user = nobody") as g:
        (pid,) = g.worker_pids()
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        uid = pwd.getpwnam("nobody")
        assert set(status["Uid"].split()) == {str(uid.pw_uid)} and set(status["Gid"].split()) == {str(uid.pw_gid)}
        assert status["CapEff"] == status["CapPrm"] == "0" * 16 and status["NoNewPrivs"] == "1"
        assert not status["Groups"].split() or set(status["Groups"].split()) == {str(uid.pw_gid)}
        with open(f"/proc/{pid}/limits") as f:
            assert re.search(r"Max core file size +0 +0 ", f.read())
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250


class Notifications:
    """A service manager's ear."""

    def __init__(self, path):
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(20)

    def next(self):
        return self.sock.recv(4096).decode()


def test_notifications(place):
    ear = Notifications(place / "notify")
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        os.environ["NOTIFY_SOCKET"] = ear.path
        try:
            g.start(wait=False)
        finally:
            del os.environ["NOTIFY_SOCKET"]
        with g_running(g):
            assert "READY=1" in ear.next()
            with Client(g.port) as c:  # it is true
                c.hello()
            g.process.send_signal(signal.SIGHUP)
            assert "RELOADING=1" in ear.next()
            assert "READY=1" in ear.next()
            g.conf.write_text(g.text + "rubbish\n")
            g.process.send_signal(signal.SIGHUP)
            assert "RELOADING=1" in ear.next()
            assert "READY=1" in ear.next(), "a refused reload is over too"
            g.process.send_signal(signal.SIGTERM)
            assert "STOPPING=1" in ear.next()


class g_running:
    def __init__(self, g):
        self.g = g

    def __enter__(self):
        return self.g

    def __exit__(self, *exc):
        self.g.stop()


LAUNCHER = """
import os, sys
fds = [int(x) for x in sys.argv[1].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ["LISTEN_FDS"] = str(len(fds))
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(place):
    """The service manager's socket is used, keeps what came before we were there, and outlives a reload."""
    listener = socket.socket()
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        listener.bind(("127.0.0.1", g.port))
        listener.listen(16)
        early = socket.create_connection(("127.0.0.1", g.port), 20)
        fd = listener.fileno()
        os.set_inheritable(fd, True)
        g.process = subprocess.Popen(["/usr/bin/python3", "-c", LAUNCHER, str(fd), PROGRAM, "run", "-c", str(g.conf)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[fd])
        g.reader = threading.Thread(target=g._read, args=(g.process.stderr,), daemon=True)
        g.reader.start()
        with g_running(g):
            assert g.wait_log("ready", 30), g.log()
            assert early.makefile("rb").readline().startswith(b"220 ")
            reload(g)
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
        # We have ended; the socket is still the manager's.
        waiting = socket.create_connection(("127.0.0.1", g.port), 5)
        waiting.close()
        listener.close()


@pytest.mark.skipif(not os.path.exists("/usr/bin/systemd-socket-activate"), reason="skipped: no systemd-socket-activate")
def test_systemd_socket_activate(place):
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        g.process = subprocess.Popen(["/usr/bin/systemd-socket-activate", "-l", f"127.0.0.1:{g.port}", PROGRAM, "run", "-c",
                                      str(g.conf)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        g.reader = threading.Thread(target=g._read, args=(g.process.stderr,), daemon=True)
        g.reader.start()
        with g_running(g):
            assert wait_for_port(g.port)
            with Client(g.port, timeout=40) as c:
                c.hello()
                assert c.mail()[0] == 250


def test_a_port_in_use_is_said(place):
    with socket.socket() as s, FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        s.bind(("127.0.0.1", g.port))
        s.listen(1)
        p = subprocess.run([PROGRAM, "run", "-c", str(g.conf)], capture_output=True, text=True, timeout=30)
        assert p.returncode != 0 and str(g.port) in p.stderr and "in use" in p.stderr
    assert free_port()


def test_slow_clients_at_the_door(place, tmp_path_factory):
    """Who doesn't get on with a handshake or a PROXY header goes, and holds nobody up."""
    import certificates
    cert, key = certificates.make(tmp_path_factory.mktemp("c"))
    smtps, proxied = free_port(), free_port()
    extra = f"""tls default {{ certificate = "{cert}" key = "{key}" }}
listen smtps {{ address = 127.0.0.1:{smtps} tls = implicit certificate = default }}
listen proxied {{ address = 127.0.0.1:{proxied} proxy-from = {{127.0.0.0/8}} }}
"""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, extra=extra, limits="command-timeout = 1s") as g:
        slow = [socket.create_connection(("127.0.0.1", smtps), 10) for _ in range(20)]
        drip = socket.create_connection(("127.0.0.1", smtps), 10)
        header = socket.create_connection(("127.0.0.1", proxied), 15)
        header.sendall(b"PROXY TCP4 ")
        huge = socket.create_connection(("127.0.0.1", proxied), 10)
        huge.sendall(b"PROXY " + b"x" * 100000)
        v2 = socket.create_connection(("127.0.0.1", proxied), 10)
        v2.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + b"\0" * 60000)
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250

        def drips():
            try:
                for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50):
                    drip.sendall(bytes([byte]))
                    time.sleep(0.1)
            except OSError:
                pass
        start = time.time()
        threading.Thread(target=drips, daemon=True).start()
        for s in slow:
            assert s.recv(100) == b""
        try:
            assert drip.recv(100) == b""
        except ConnectionError:
            pass
        assert time.time() - start < 4
        for s in (huge, v2):
            try:
                assert s.recv(100)[:3] in (b"421", b"")
            except ConnectionError:
                pass
        assert header.recv(100)[:3] in (b"421", b"")
        assert time.time() - start < 13
        assert g.status()["sessions_now"] == 0


def seccomp(pid):
    with open(f"/proc/{pid}/status") as f:
        return {k: v.strip() for k, v in (line.split(":", 1) for line in f)}


@pytest.mark.parametrize("setting,want", [("", "2"), ("sandbox = off", "0")])
def test_sandbox(place, setting, want):
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, top=setting) as g:
        of_master = seccomp(g.process.pid)["Seccomp"]
        for pid in g.worker_pids():
            status = seccomp(pid)
            assert status["NoNewPrivs"] == "1"
            assert status["Seccomp"] == (want if want == "2" else of_master)
        with Client(g.port) as c:
            c.hello()
            assert c.mail(body=b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" * 300000)[0] == 250


def test_sandbox_with_a_new_maildir(place):
    with Gatehouse(place / "g") as g, Client(g.port) as c:
        c.hello()
        assert c.mail()[0] == 250
        assert len(g.delivered()) == 1


def test_what_the_sandbox_leaves():
    """The unit test under ASan can't: there the sandbox is off."""
    program = "build/tests/unit/test_sandbox"
    p = subprocess.run(["make", "-s", "--no-print-directory", program], cwd=TOP, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    p = subprocess.run([str(TOP / program)], capture_output=True, text=True, env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
    if "SKIP" in p.stdout:
        pytest.skip("skipped: this kernel has no Landlock")
    assert p.returncode == 0 and "not ok" not in p.stdout, p.stdout
