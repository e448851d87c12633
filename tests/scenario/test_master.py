"""The master: what its children get, reloads that can't be, its control socket, and its sudden end."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import certificates
import pytest
from fake_backend import FakeBackend
from gatehouse import PROGRAM, Client, Gatehouse, free_port
from milter import MilterGate


def wait_until(what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return True
        time.sleep(0.02)
    return what()


def children(pid):
    out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return [int(x) for x in out.split()]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1].decode()
    except (OSError, IndexError):
        return ""


def descriptors(pid):
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


def reload(g, want="event=ready", seconds=30):
    since = len(g.lines)
    g.process.send_signal(signal.SIGHUP)
    assert g.wait_log(want, seconds, since), g.log()[-3000:]


@pytest.fixture(name="stuck")
def compiler_that_waits(place):
    """A gateway whose next compiler waits for a FIFO of rules."""
    fifo = place / "rules.cf"
    os.mkfifo(fifo)
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        g.conf.write_text(g.text + f'rules {{ paths = {{"{fifo}"}} }}\n')
        g.fifo = fifo
        yield g


def start_compiler(g):
    g.process.send_signal(signal.SIGHUP)
    found = []
    assert wait_until(lambda: found.extend(p for p in children(g.process.pid) if command_of(p) == "compiler") or found)
    return found[0]


def test_the_compiler_gets_nothing_of_the_master(stuck):
    pid = start_compiler(stuck)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert wait_until(lambda: len(descriptors(pid)) <= 5)
    fds = descriptors(pid)
    assert not any("socket:" in to or "eventpoll" in to for fd, to in fds.items() if fd > 2), fds
    assert "gatehouse-config" in fds[3]
    assert status["NoNewPrivs"] == "1"
    caught = int(status["SigCgt"], 16)
    assert not caught & (1 << (signal.SIGHUP - 1) | 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGCHLD - 1))
    since = len(stuck.lines)
    stuck.process.send_signal(signal.SIGHUP)  # while it reads: remembered
    stuck.fifo.unlink()
    os.kill(pid, signal.SIGKILL)
    assert stuck.wait_log("refused; the old configuration stays", 20, since)
    assert wait_until(lambda: not any(command_of(p) == "compiler" for p in children(stuck.process.pid)))
    with Client(stuck.port) as c:
        c.hello()
        assert c.mail()[0] == 250


def test_a_stop_does_not_wait_for_the_compiler(stuck):
    pid = start_compiler(stuck)
    start = time.time()
    assert stuck.stop() == 0
    assert time.time() - start < 10
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_children_get_no_descriptor_of_the_launcher(place):
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        script = place / "run"
        script.write_text(f"#!/bin/sh\nexec {PROGRAM} \"$@\" 9</etc/passwd\n")
        script.chmod(0o755)
        g.program = str(script)
        with g:
            assert "/etc/passwd" in descriptors(g.process.pid).values()
            for pid in g.worker_pids():
                assert "/etc/passwd" not in descriptors(pid).values()


# ---- reloads

def test_no_more_generations_than_there_is_room_for(place):
    """Workers that can't drain: a reload for which there is no room changes nothing."""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, workers=24) as g:
        stopped = []
        try:
            stopped += g.worker_pids()
            assert len(stopped) == 24
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            reload(g)
            now = set(g.worker_pids()) - set(stopped)
            assert len(now) == 24
            other = free_port()
            g.conf.write_text(g.text.replace(f"127.0.0.1:{g.port}", f"127.0.0.1:{other}"))
            reload(g, "refused; the old configuration stays")
            assert "have not drained yet" in g.log()
            with pytest.raises(ConnectionError):
                socket.create_connection(("127.0.0.1", other), 5)
            assert g.status()["generation"] == 2 and set(g.worker_pids()) - set(stopped) == now
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert wait_until(lambda: not set(stopped) & set(g.worker_pids()), 30)
        g.conf.write_text(g.text.replace("workers = 24", "workers = 2"))
        reload(g)
        assert wait_until(lambda: len(g.worker_pids()) == 2)


def test_log_settings_of_a_reload(place):
    """The master's own lines follow them too."""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port) as g:
        g.conf.write_text(g.text + "log { format = json }\n")
        reload(g, '"event":"ready"')
        g.conf.write_text(g.text + "log { level = error }\n")
        reload(g, '"event":"reload"')
        assert wait_until(lambda: g.status()["generation"] == 3)
        assert '"generation 3' not in g.log()


def test_more_processes_than_there_can_be(place):
    extra = "".join(f'milter m{i} {{ address = "unix:{place}/m{i}" processes = 16 }}\n' for i in range(3))
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port, extra=extra)
        p = subprocess.run([PROGRAM, "run", "-c", str(g.conf)], capture_output=True, text=True, timeout=60)
        assert p.returncode == 78 and "49 processes are asked for, and 32 are the most" in p.stderr, p.stderr


class Ear:
    """A service manager's."""

    def __init__(self, path):
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o777)
        self.sock.settimeout(20)

    def next(self):
        return self.sock.recv(4096).decode()


def limit_processes(pid, count):
    """As its own user: changing another's takes more than being root."""
    subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "prlimit", f"--pid={pid}",
                    f"--nproc={count}:"], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="skipped: not root, or no setpriv")
def test_a_compiler_that_cannot_be_started(place):
    """The service manager is told that the reload is over."""
    ear = Ear(place / "notify")
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        for path in [g.folder, *g.folder.rglob("*")]:
            os.chown(path, 65534, 65534)
        program = place / "gatehouse"
        shutil.copy(PROGRAM, program)
        script = place / "run"
        script.write_text(f"#!/bin/sh\nNOTIFY_SOCKET={ear.path} exec setpriv --reuid=65534 --regid=65534 --clear-groups "
                          f"{program} \"$@\"\n")
        script.chmod(0o755)
        g.program = str(script)
        with g:
            assert "READY=1" in ear.next()
            limit_processes(g.process.pid, 1)
            reload(g, "refused; the old configuration stays")
            assert "can't be started" in g.log()
            assert "RELOADING=1\nMONOTONIC_USEC=" in ear.next()
            assert "READY=1" in ear.next()
            limit_processes(g.process.pid, 1000)
            reload(g)
            assert "RELOADING=1" in ear.next() and "READY=1" in ear.next()


def test_a_hundred_reloads_leave_nothing_behind(place):
    cert, key = certificates.make(place)
    extra = f"""tls default {{ certificate = "{cert}" key = "{key}" }}
milter m {{ address = "unix:{place}/m.sock" }}
"""
    with FakeBackend() as b, Gatehouse(place / "g", backend=b.port, extra=extra) as g:
        reload(g)
        assert wait_until(lambda: len(children(g.process.pid)) == 2)
        before = descriptors(g.process.pid)
        for n in range(100):
            bad = n % 4 == 3
            g.conf.write_text(g.text + ("rubbish\n" if n % 8 == 3 else
                                        "listen second { address = 192.0.2.77:25 }\n" if bad else ""))
            reload(g, "refused; the old configuration stays" if bad else "event=ready")
        assert wait_until(lambda: len(children(g.process.pid)) == 2, 30)
        assert wait_until(lambda: len(descriptors(g.process.pid)) == len(before)), (before, descriptors(g.process.pid))
        g.conf.write_text(g.text)
        assert g.status()["generation"] == 77
        with Client(g.port) as c:
            c.hello()
            assert c.mail()[0] == 250


# ---- the control socket

def ask(g, text, half_close=False):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(g.state / "gatehouse.sock"))
        s.sendall(text)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        while more := s.recv(4096):
            answer += more
        return answer


@pytest.fixture(name="gate", scope="module")
def one_gateway(module_place):
    with FakeBackend() as b, Gatehouse(module_place / "g", backend=b.port) as g:
        yield g


def test_clients_that_close_their_half(gate):
    for _ in range(20):
        assert ask(gate, b"status json\n", half_close=True).startswith(b'{"version"')
        assert ask(gate, b"status json", half_close=True).startswith(b'{"version"')
        assert ask(gate, b"status json\r\n").startswith(b'{"version"')
    assert ask(gate, b"stat", half_close=True).startswith(b"error: ")
    assert ask(gate, b"", half_close=True) == b""
    try:
        assert ask(gate, b"x" * 5000, half_close=True) == b""
    except ConnectionResetError:
        pass
    assert ask(gate, b"status\n").startswith(b"version")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_out_of_descriptors(gate):
    """It waits instead of spinning, and answers once there are some again."""
    pid = gate.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    lowest = next(n for n in range(1000) if n not in descriptors(pid))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(gate.state / "gatehouse.sock"))
            s.sendall(b"status\n")
            before = cpu_seconds(pid)
            time.sleep(1)
            assert cpu_seconds(pid) - before < 0.3
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            assert s.recv(4096).startswith(b"version")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    with Client(gate.port) as c:
        c.hello()
        assert c.mail()[0] == 250


def test_a_path_too_long_for_a_socket(place):
    long = place / ("x" * 60) / ("y" * 60)
    long.mkdir(parents=True)
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        g.conf.write_text(g.text.replace(f'runtime = "{g.state}"', f'runtime = "{long}"'))
        with g:
            assert g.wait_log("gatehouse.sock: File name too long", 10), g.log()
            p = subprocess.run([PROGRAM, "status", "-c", str(g.conf)], capture_output=True, text=True)
            assert p.returncode == 69 and "File name too long" in p.stderr
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
        assert not list(place.rglob("gatehouse.s*"))


# ---- its sudden end

def test_killed_master(place):
    """Workers finish what they are at and end; a fresh start gets the port at once."""
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port, workers=2)
        g.start()
        busy, idle = Client(g.port), Client(g.port)
        busy.hello()
        idle.hello()
        assert [busy.code(x) for x in ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA")] == [250, 250, 354]
        busy.send("Subject: half\r\n\r\nfirst half\r\n")
        old = g.worker_pids()
        g.process.kill()
        g.process.wait()
        assert not b.messages
        with Gatehouse(place / "g2", backend=b.port) as again:
            again.stop()
            again.conf.write_text(again.text.replace(f"127.0.0.1:{again.port}", f"127.0.0.1:{g.port}"))
            again.start()
            assert idle.reply()[0] == 421
            busy.send("second half\r\n.\r\n")
            assert busy.reply()[0] == 250 and len(b.messages) == 1
            with Client(g.port) as c:
                c.hello()
                assert c.mail()[0] == 250
        assert wait_until(lambda: not any(command_of(pid) == "worker" for pid in old))


def test_killed_with_all_its_workers(place):
    """What was not at its end is nobody's, and its sender has no 250."""
    with FakeBackend() as b:
        g = Gatehouse(place / "g", backend=b.port)
        g.start()
        c = Client(g.port)
        c.hello()
        assert [c.code(x) for x in ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>", "DATA")] == [250, 250, 354]
        c.send("Subject: half\r\n\r\nfirst half\r\n")
        for pid in [g.process.pid, *g.worker_pids()]:
            os.kill(pid, signal.SIGKILL)
        g.process.wait()
        try:
            c.send("second half\r\n.\r\n")
            assert c.reply() == (0, "")
        except ConnectionError:
            pass
        assert not b.messages
        g.start()
        with Client(g.port) as again:
            again.hello()
            assert again.mail()[0] == 250 and len(b.messages) == 1
        g.stop()


def test_milter_workers_end_with_their_master(place):
    g = MilterGate(place / "g")
    g.start()
    old = g.worker_pids()
    assert len(old) == 2
    g.process.kill()
    g.process.wait()
    assert wait_until(lambda: not any(command_of(pid) == "milter-worker" for pid in old))
    g.start()
    assert g.stop() == 0


# ---- what milter workers may

def test_milter_workers_are_in_the_sandbox(place):
    with MilterGate(place / "g") as g:
        assert len(g.worker_pids()) == 2
        for pid in g.worker_pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                status = Path(f"/proc/{pid}/task/{task}/status").read_text()
                assert "\nSeccomp:\t2\n" in status and "\nNoNewPrivs:\t1\n" in status


def test_a_file_in_the_way_of_a_socket_stays(place):
    precious = place / "precious"
    precious.write_text("not a socket")
    g = MilterGate(place / "g")
    g.conf.write_text(g.text.replace(f"unix:{g.path}", f"unix:{precious}"))
    p = subprocess.run([PROGRAM, "run", "-c", str(g.conf)], capture_output=True, text=True, timeout=60)
    assert p.returncode == 78 and "precious: Address already in use" in p.stderr, p.stderr
    assert precious.read_text() == "not a socket"
