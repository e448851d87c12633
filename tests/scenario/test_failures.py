"""Whatever DNS, Redis or a scanner do, there is an answer in time, and it is the one that the setting says."""
import socket
import threading
import time

import pytest
from dnsserver import Server, Zone
from fake_backend import FakeBackend
from fake_clamd import FakeClamd
from gatehouse import Client, Gatehouse, free_port

SLOW = 0.5  # s


class Silent:
    """A TCP server that accepts and says nothing; or closes at once; or passes on what real says, late."""

    def __init__(self, how, real=None):
        self.how, self.real = how, real
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            if self.how == "close":
                c.close()
            else:
                self.open.append(c)

    def close(self):
        self.sock.close()
        for c in self.open:
            c.close()


def silent_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    return s


@pytest.fixture
def world(tmp_path):
    """world(dns, redis, clamd, on_error) → a gateway in that world"""
    ends = []

    def start(dns="well", redis="none", clamd="none", on_error="skip", dns_timeout="5s"):
        backend = FakeBackend()
        ends.append(backend.stop)
        udp = None
        if dns == "hang":
            udp = silent_udp()
            ends.append(udp.close)
            port = udp.getsockname()[1]
        elif dns == "close":
            port = free_port()
        else:
            trick = f";@ example.net delay {int(SLOW * 1000)}\n" if dns == "slow" else ""
            server = Server(Zone('example.net. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"\nexample.net. 60 IN A 127.0.0.1\n' + trick))
            ends.append(server.close)
            port = server.port
        extra = f"networks {{ trusted = {{10.0.0.1}} internal = {{10.0.0.1}} }}\nfilter spf {{ on-error = {on_error} }}\n"
        extra += "filter iprev { enabled = off }\nfilter dmarc { on-error = skip }\n"
        store = "memory:"
        if redis != "none":
            silent = Silent(redis)
            ends.append(silent.close)
            store = f"redis://127.0.0.1:{silent.port}/0"
            extra += f"filter greylist {{ enabled = on mode = always on-error = {on_error} }}\n"
            extra += f"filter rate {{ enabled = on sender = 100 on-error = {on_error} }}\n"
            extra += f"filter reputation {{ enabled = on on-error = {on_error} }}\n"
        if clamd != "none":
            scanner = FakeClamd(tmp_path / "clamd")
            scanner.behave = {"hang": "silent", "close": "close", "slow": None}[clamd]
            ends.append(lambda: scanner.__exit__())
            extra += f'filter clamd {{ enabled = on address = "unix:{tmp_path}/clamd" timeout = 60s on-error = {on_error} }}\n'
        g = Gatehouse(tmp_path / "gate", backend=backend.port, dns=f"forward = {{127.0.0.1@{port}}} timeout = {dns_timeout}",
                      extra=extra, limits="end-deadline = 2s")
        g.conf.write_text(g.text.replace(g.text[g.text.index('store = "'):g.text.index("\n", g.text.index('store = "'))],
                                         f'store = "{store}"'))
        g.backend, g.udp = backend, udp
        g.start()
        ends.append(g.stop)
        return g

    yield start
    for end in reversed(ends):
        end()


def send(g):
    """(reply to RCPT or to the content, seconds it took at most)"""
    with Client(g.port, timeout=60) as c:
        c.hello()
        worst = 0
        for line, want in (("MAIL FROM:<ada@example.net>", 250), ("RCPT TO:<bob@example.org>", 250), ("DATA", 354)):
            begin = time.time()
            code, text = c.cmd(line)
            worst = max(worst, time.time() - begin)
            if code != want:
                return code, text, worst
        begin = time.time()
        c.send(b"From: ada@example.net\r\nSubject: x\r\n\r\nhi\r\n.\r\n")
        code, text = c.reply()
        return code, text, max(worst, time.time() - begin)


# A phase may take the deadline of 2 s; a loaded machine some more.
BOUND = 15


@pytest.mark.parametrize("part", ["dns", "redis", "clamd"])
@pytest.mark.parametrize("how", ["hang", "close"])
@pytest.mark.parametrize("on_error,want", [("skip", 250), ("defer", 451)])
def test_one_fails(world, part, how, on_error, want):
    g = world(**{part: how}, on_error=on_error)
    code, text, worst = send(g)
    assert code == want and worst < BOUND, (code, text, worst)
    assert code == 250 or text.startswith("4."), text
    assert len(g.backend.messages) == (1 if want == 250 else 0)


@pytest.mark.parametrize("on_error,want", [("skip", 250), ("defer", 451)])
def test_all_hang(world, on_error, want):
    g = world(dns="hang", redis="hang", clamd="hang", on_error=on_error, dns_timeout="60s")
    code, text, worst = send(g)
    assert code == want and worst < BOUND, (code, text, worst)


@pytest.mark.parametrize("dns_timeout", ["400ms", "3s"])  # the latter is longer than the filters' deadline
def test_no_mail_waits_for_dead_name_servers(world, dns_timeout):
    g = world(dns="hang", dns_timeout=dns_timeout)
    end = time.time() + 90
    while not g.wait_log("no name server answers: look-ups fail at once", 0.05):
        assert send(g)[0] == 250 and time.time() < end
    code, text, worst = min((send(g) for _ in range(3)), key=lambda sent: sent[2])
    assert code == 250 and worst < 0.35, worst
    port = g.udp.getsockname()[1]
    g.udp.close()
    server = Server(Zone('example.net. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"\n'), port=port)
    try:
        assert g.wait_log("name servers answer again", 30), "by itself, without a mail"
        assert send(g)[0] == 250 and "SPF_PASS" in [x for x in g.lines if "event=transaction" in x][-1]
    finally:
        server.close()


def test_slow_is_not_lost(world):
    g = world(dns="slow", on_error="defer")
    code, text, worst = send(g)
    assert code == 250 and worst < BOUND, (code, text)
    assert "SPF_PASS" in g.wait_log("transaction ") or "TEMPERROR" not in g.wait_log("transaction ")


def test_many_at_once_while_all_hang(world):
    """Nobody waits for another: all deadlines run together."""
    g = world(dns="hang", redis="hang", clamd="hang", dns_timeout="60s")
    got = []
    threads = [threading.Thread(target=lambda: got.append(send(g)), daemon=True) for _ in range(20)]
    begin = time.time()
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert [code for code, _, _ in got] == [250] * 20
    assert time.time() - begin < 3 * BOUND
