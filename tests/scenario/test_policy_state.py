"""Greylisting, rates, reputation, DNS lists and split recipients through the SMTP door."""
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from dnsserver import Server, Zone
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse, free_port, wait_for_port

ZONE = """\
example.net. 60 IN A 192.0.2.1
example.net. 60 IN TXT "v=spf1 ip4:127.0.0.0/8 -all"
pool.example. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all"
plain.example. 60 IN A 192.0.2.1
forged.example. 60 IN TXT "v=spf1 -all"
2.0.0.127.bl.example. 60 IN A 127.0.0.2
10.2.0.192.bl.example. 60 IN A 127.0.0.4
10.2.0.192.wild.example. 60 IN A 127.0.0.2
*.wild.example. 60 IN A 127.0.0.2
10.2.0.192.closed.example. 60 IN A 127.255.255.254
10.2.0.192.odd.example. 60 IN A 203.0.113.1
10.2.0.192.dead.example. 60 IN A 127.0.0.1
10.2.0.192.white.example. 60 IN A 127.0.10.3
2.0.0.127.white.example. 60 IN A 127.0.10.0
2.0.0.127.broken.example. 60 IN A 127.0.0.2
10.2.0.192.gone.example. 60 IN A 127.0.0.2
10.2.0.192.bare.example. 60 IN A 127.0.0.2
99.100.51.198.bl.example. 60 IN A 127.0.0.5
test.dom.example. 60 IN A 127.0.1.2
entry.here.uri.example. 60 IN A 127.0.0.2
example.com.uri.example. 60 IN A 127.0.0.8
example.edu.uri.example. 60 IN A 127.0.0.24
example.com.gone.example. 60 IN A 127.0.0.2
bad.example.dom.example. 60 IN A 127.0.1.2
;! 10.2.0.192.broken.example SERVFAIL
"""
BODY = b"From: ada@example.net\r\nSubject: hello\r\n\r\nhi\r\n"


@pytest.fixture
def gate(tmp_path):
    started = []

    def start(extra, store="memory:", dns_settings=None, **settings):
        g = Gatehouse(tmp_path / f"gate{len(started)}", backend=start.backend.port,
                      extra=extra + "\nnetworks { trusted = {10.0.0.1} internal = {10.0.0.1} }",
                      dns=dns_settings or f'zone-file = "{tmp_path / "zone"}"',
                      listen_settings='proxy-from = {127.0.0.1}', **settings)
        (tmp_path / "zone").write_text(ZONE)
        g.conf.write_text(re.sub(r'store = "[^"]*"', f'store = "{store}"', g.text))
        g.backend = start.backend
        g.start()
        started.append(g)
        return g

    start.backend = FakeBackend()
    yield start
    for g in started:
        g.stop()
    start.backend.stop()


def send(g, sender="ada@example.net", rcpt=("bob@example.org",), ip="192.0.2.10", body=BODY):
    with Client(g.port, greet=False) as c:
        c.send(f"PROXY TCP4 {ip} 127.0.0.1 4242 25\r\n")
        assert c.reply()[0] == 220
        c.hello()
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        replies = [c.cmd(f"RCPT TO:<{r}>") for r in rcpt]
        if not any(code == 250 for code, _ in replies):
            return replies, None
        assert c.code("DATA") == 354
        c.send(body + b".\r\n")
        return replies, c.reply()


GREYLIST = "filter greylist { enabled = on mode = always delay = 2s }"


@pytest.mark.parametrize("store", ["memory:", "lmdb"])
def test_greylist(gate, tmp_path, store):
    g = gate(GREYLIST, store="memory:" if store == "memory:" else f"lmdb:{tmp_path}/store")
    replies, _ = send(g, "ada@plain.example")
    assert replies[0][0] == 451
    left = int(re.match(r"4\.7\.1 Greylisted, please try again in (\d+) seconds \(\w{12}\)", replies[0][1])[1])
    assert 0 < left <= 2
    assert send(g, "ada@plain.example", ip="192.0.2.99")[0][0][0] == 451
    assert send(g, "ada@plain.example", rcpt=("postmaster@example.org",))[1][0] == 250
    time.sleep(2.2)
    assert send(g, "eve@plain.example", ip="192.0.2.77")[1][0] == 250  # its network waits together
    assert send(g, "ada@plain.example")[1][0] == 250
    assert send(g, "ada@plain.example", ip="198.51.100.1")[0][0][0] == 451


def test_greylist_knows_pools(gate):
    g = gate(GREYLIST)
    assert send(g, "a@pool.example", ip="192.0.2.1")[0][0][0] == 451
    time.sleep(2.2)
    assert send(g, "a@pool.example", ip="198.51.100.9")[1][0] == 250


def test_greylist_survives_kill(gate, tmp_path):
    g = gate(GREYLIST, store=f"lmdb:{tmp_path}/store")
    assert send(g, "ada@plain.example")[0][0][0] == 451
    for pid in g.worker_pids():
        os.kill(pid, signal.SIGKILL)
    time.sleep(2.5)
    end = time.time() + 10
    while time.time() < end:
        try:
            assert send(g, "ada@plain.example")[1][0] == 250
            return
        except (ConnectionError, AssertionError):
            time.sleep(0.3)
    pytest.fail("the sender had waited, and is not known")


def test_kill_at_random_forgets_nobody(gate, tmp_path):
    """Who was told to wait has been written down, whatever dies meanwhile."""
    g = gate("filter greylist { enabled = on mode = always delay = 3s }", store=f"lmdb:{tmp_path}/store")
    told, stop = {}, threading.Event()

    def client(k):
        n = 0
        while not stop.is_set():
            n += 1
            who = f"u@k{k}n{n}.example"
            try:
                if send(g, who)[0][0][0] == 451:
                    told[who] = time.time()
            except (OSError, AssertionError, ValueError):
                time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(k,), daemon=True) for k in range(3)]
    for t in threads:
        t.start()
    rng = random.Random(7)
    for _ in range(4):
        time.sleep(rng.uniform(0.2, 0.6))
        for pid in g.worker_pids():
            os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    stop.set()
    for t in threads:
        t.join()
    assert len(told) > 10
    time.sleep(max(0, max(told.values()) + 3.5 - time.time()))
    sample = rng.sample(sorted(told), 10)
    assert [(w, send(g, w)[0][0][0]) for w in sample] == [(w, 250) for w in sample]
    assert send(g, "u@never.example")[0][0][0] == 451


def test_greylist_by_score(gate):
    g = gate('filter greylist { enabled = on delay = 2s }\npolicy default { greylist = 3 scores = {"SPF_FAIL=4"} }')
    assert send(g, "ada@plain.example")[1][0] == 250
    replies, last = send(g, "eve@forged.example")
    assert replies[0][0] == 250 and last[0] == 451 and last[1].startswith("4.7.1 Greylisted, please try again in ")
    time.sleep(2.2)
    assert send(g, "eve@forged.example")[1][0] == 250


def test_greylist_lets_known_good_ones_through(gate, tmp_path):
    """Learnt without greylisting; then with it: whoever brought good mail doesn't wait."""
    store = f"lmdb:{tmp_path}/shared"
    learning = gate("filter reputation { enabled = on }\nfilter iprev { enabled = off }", store=store)
    for _ in range(5):
        assert send(learning, "ada@plain.example", ip="192.0.2.10")[1][0] == 250
    assert send(learning, "ada@plain.example", ip="203.0.113.10")[1][0] == 250
    g = gate("filter reputation { enabled = on }\nfilter iprev { enabled = off }\n" + GREYLIST, store=store)
    assert send(g, "new@plain.example", ip="192.0.2.77")[1][0] == 250
    assert send(g, "new@plain.example", ip="203.0.113.77")[0][0][0] == 451


def test_greylist_lets_logins_through(tmp_path):
    ehlo = FakeBackend.EHLO.replace(b"250 ENH", b"250-AUTH PLAIN\r\n250 ENH")
    with FakeBackend({"AUTH": b"235 2.7.0 Ok\r\n"}, ehlo=ehlo) as b, \
            Gatehouse(tmp_path / "g", backend=b.port, listen_settings="auth-without-tls = on", extra=GREYLIST +
                      "\nnetworks { trusted = {10.0.0.1} internal = {10.0.0.1} }") as g:
        for login, want in ((False, 451), (True, 250)):
            with Client(g.port) as c:
                c.hello()
                assert not login or c.code("AUTH PLAIN AGFkYQBzZWNyZXQ=") == 235
                assert c.code("MAIL FROM:<ada@example.net>") == 250 and c.code("RCPT TO:<bob@example.org>") == want


def test_store_that_is_lost(gate, tmp_path):
    g = gate(GREYLIST, store="lmdb:/proc/nowhere")
    assert send(g, "ada@plain.example")[1][0] == 250
    g2 = gate("filter greylist { enabled = on mode = always on-error = defer }", store="lmdb:/proc/nowhere")
    code, text = send(g2, "ada@plain.example")[0][0]
    assert code == 451 and text.startswith("4.3.0 ")


@pytest.mark.parametrize("kind,other", [
    ("client", {"ip": "192.0.2.11"}), ("network", {"ip": "192.0.3.10"}), ("sender", {"sender": "eve@example.net"}),
    ("recipient", {"rcpt": ("eve@example.org",)}),
])
def test_rate(gate, kind, other):
    g = gate(f"filter rate {{ enabled = on {kind} = 2 window = 1h }}")
    for _ in range(2):
        assert send(g)[1][0] == 250
    code, text = send(g)[0][0]
    assert code == 450 and re.match(rf"4\.7\.1 Too many messages \({kind} .*\), please try again in 3\d\d\d seconds", text)
    assert send(g, **other)[1][0] == 250
    assert send(g, rcpt=("abuse@example.org",))[1][0] == 250


def test_reputation(gate):
    g = gate('filter reputation { enabled = on messages = 3 }\nfilter iprev { enabled = off }\npolicy default { scores = {"SPF_FAIL=13"} }\n')
    for _ in range(3):
        assert send(g, "eve@forged.example", ip="192.0.2.50")[1][0] == 554
        assert send(g, ip="192.0.2.10", sender="a@pool.example")[1][0] == 250
    assert send(g, "x@plain.example", ip="192.0.2.51")[1][0] == 250
    assert g.wait_log(r"x@plain\.example.*REPUTATION_BAD\(2\.00\)")
    send(g, ip="192.0.2.10", sender="a@pool.example")
    assert g.wait_log(r"a@pool\.example.*REPUTATION_GOOD\(-1\.00\)")


LISTS = """
dnslist bl { zone = bl.example codes = {"127.0.0.4/30=6.5"} }
dnslist white { zone = white.example codes = {"&1=-1", "&2=-2"} }
dnslist wild { zone = wild.example score = 5 }
dnslist closed { zone = closed.example score = 5 }
dnslist odd { zone = odd.example score = 5 }
dnslist dead { zone = dead.example score = 5 }
dnslist broken { zone = broken.example score = 5 }
dnslist gone { zone = gone.example score = 5 }
dnslist bare { zone = bare.example score = 0.5 probe = off }
dnslist off { zone = bl.example score = 5 enabled = off }
dnslist dom { zone = dom.example type = sender score = 4 }
"""


def test_dns_lists(gate):
    g = gate(LISTS)
    assert send(g)[1][0] == 250
    line = g.wait_log("transaction .*from=ada")
    assert "DNSBL_BL(6.50)" in line and "DNSBL_WHITE(-3.00)" in line and "DNSBL_TEMPERROR(0.00)" in line
    for name in ("WILD", "CLOSED", "ODD", "DEAD", "BROKEN", "OFF", "DOM", "GONE"):
        assert f"DNSBL_{name}(" not in line
    assert line.count("DNSBL_SUSPENDED") == 5 and "DNSBL_BARE(0.50)" in line
    assert g.wait_log("dnsbl suspended.*gone.example: it does not list its test entry")
    assert g.status()["dnslists_suspended"] == 5
    assert g.wait_log("dnsbl suspended.*wild.example: it lists what no list may list")
    assert g.wait_log("dnsbl suspended.*closed.example: it refuses our questions")
    assert len([x for x in g.lines if "dnsbl suspended" in x]) == 5
    send(g, "x@bad.example")
    line = g.wait_log("transaction .*from=x@bad.example")
    assert "DNSBL_DOM(4.00)" in line
    assert len([x for x in g.lines if "dnsbl suspended" in x]) == 5
    send(g, ip="192.0.2.99", sender="y@example.net")
    assert "DNSBL" not in g.wait_log("transaction .*from=y@").replace("DNSBL_SUSPENDED", "")


def test_dns_lists_of_other_relays(gate):
    g = gate("""dnslist deep { zone = bl.example type = received codes = {"127.0.0.4/30=2.5"} }
dnslist good { zone = white.example type = received score = -1 }
dnslist trial { zone = bl.example type = received score = 9 shadow = on }
""")
    received = b"Received: from a.example (a.example [%s]) by b.example with ESMTP id 1; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    hops = b"".join(received % ip for ip in (b"203.0.113.5", b"198.51.100.99", b"192.0.2.10", b"10.9.9.9", b"198.51.100.99"))
    assert send(g, body=hops + BODY)[1][0] == 250
    line = g.wait_log("transaction .*from=ada@example.net")
    assert line.count("DNSBL_DEEP(2.50)") == 1 and "DNSBL_GOOD" not in line  # 192.0.2.10 is the client
    assert "DNSBL_TRIAL(9.00 shadow)" in line
    assert send(g, "eve@example.net", ip="192.0.2.99", body=hops + BODY)[1][0] == 250
    assert "DNSBL_GOOD(-1.00)" in g.wait_log("transaction .*from=eve@example.net")


@pytest.mark.parametrize("size", [0, 200_000], ids=["small", "large"])
@pytest.mark.parametrize("rules", [False, True], ids=["alone", "rules"])
def test_dns_lists_of_uris(gate, tmp_path, size, rules):
    (tmp_path / "own.cf").write_text("body HI /hi/\n")
    g = gate("""dnslist links { zone = uri.example type = uri codes = {"&8=4", "&16=2"} test-entry = entry.here }
dnslist gone { zone = gone.example type = uri score = 5 }
""", rules=f'rules {{ paths = {{"{tmp_path}/own.cf"}} }}' if rules else None)
    filler = b"all is well today\r\n" * (size // 19)
    assert send(g, body=BODY + b"See http://www.Example.com/x?y and http://127.0.0.1/ or http://bob.example.org/\r\n" + filler)[1][0] == 250
    line = g.wait_log("transaction .*from=ada@example.net")
    assert line.count("DNSBL_LINKS(4.00)") == 1 and "DNSBL_GONE" not in line and line.count("DNSBL_SUSPENDED") == 1
    html = b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n" + BODY + b'<a href="https://example.edu/">here</a>\r\n' + filler
    assert send(g, "eve@example.net", body=html)[1][0] == 250
    assert "DNSBL_LINKS(6.00)" in g.wait_log("transaction .*from=eve@example.net")
    assert send(g, "bob@example.net")[1][0] == 250
    assert "DNSBL_" not in g.wait_log("transaction .*from=bob@example.net")


def test_dns_lists_that_fail_are_each_named(gate, tmp_path):
    g = gate("dnslist one { zone = xbl.example }\ndnslist two { zone = bl.example }\nfilter dnsbl { on-error = defer }")
    (tmp_path / "zone").write_text(ZONE.replace("10.2.0.192.bl.example. 60 IN A 127.0.0.4\n", "") +
                                   ";! 10.2.0.192.bl.example SERVFAIL\n;! 10.2.0.192.xbl.example SERVFAIL\n")
    g.stop()
    g.start()
    code, text = send(g)[0][0]
    assert code == 451 and re.match(r"4\.7\.1 Temporary failure: x?bl\.example: SERVFAIL \(", text)
    out = subprocess.run([g.program, "why", "-c", str(g.conf), text[-13:-1]], capture_output=True, text=True).stdout
    assert len(re.findall(r"(?m)^hit +DNSBL_TEMPERROR .*: x?bl\.example: SERVFAIL$", out)) == 2, out


def test_dns_lists_known_by_name_or_zone(gate, tmp_path):
    """Whoever has a key asks another zone; a zone may be asked under another name; one score for all its codes."""
    g = gate("""dnslist spamhaus-zen { zone = key.zen.example }
dnslist links { zone = dbl.spamhaus.org type = uri }
dnslist psbl { score = 3.5 }
""")
    (tmp_path / "zone").write_text(ZONE + """\
2.0.0.127.key.zen.example. 60 IN A 127.0.0.2
10.2.0.192.key.zen.example. 60 IN A 127.0.0.4
dbltest.com.dbl.spamhaus.org. 60 IN A 127.0.1.2
example.com.dbl.spamhaus.org. 60 IN A 127.0.1.4
2.0.0.127.psbl.surriel.com. 60 IN A 127.0.0.2
10.2.0.192.psbl.surriel.com. 60 IN A 127.0.0.2
""")
    g.stop()
    g.start()
    assert send(g, body=BODY + b"See http://example.com/\r\n")[1][0] in (250, 554)
    line = g.wait_log("transaction .*from=ada@example.net")
    assert "DNSBL_SPAMHAUS_ZEN(4.00)" in line and "DNSBL_LINKS(4.00)" in line and "DNSBL_PSBL(3.50)" in line
    assert "DNSBL_SUSPENDED" not in line


def test_dns_list_that_recovers(gate, tmp_path):
    """A real server: the list dies, is suspended, and comes back by itself."""
    dns = Server(Zone("10.2.0.192.own.example. 1 IN A 127.0.0.2\n*.own.example. 1 IN A 127.0.0.2\n"))
    try:
        g = gate("dnslist own { zone = own.example score = 4 }", dns_settings=f"forward = {{127.0.0.1@{dns.port}}}")
        assert send(g)[1][0] == 250
        assert g.wait_log("dnsbl suspended")
        assert "DNSBL_OWN" not in g.wait_log("transaction ") and g.status()["dnslists_suspended"] == 1
        dns.zone = Zone("10.2.0.192.own.example. 1 IN A 127.0.0.2\n2.0.0.127.own.example. 1 IN A 127.0.0.2\n")
        end = time.time() + 20
        while time.time() < end and not g.wait_log("dnsbl resumed", 0.5):
            send(g)
        assert g.wait_log("dnsbl resumed.*own.example") and g.status()["dnslists_suspended"] == 0
        send(g, "eve@plain.example")
        assert "DNSBL_OWN(4.00)" in g.wait_log("transaction .*from=eve@plain")
    finally:
        dns.close()


def test_rate_can_end_the_session(gate):
    g = gate("filter rate { enabled = on client = 1 window = 1h close = on }")
    assert send(g)[1][0] == 250
    with Client(g.port, greet=False) as c:
        c.send("PROXY TCP4 192.0.2.10 127.0.0.1 4242 25\r\n")
        assert c.reply()[0] == 220
        c.hello()
        c.send("MAIL FROM:<ada@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
        assert c.reply()[0] == 250
        code, text = c.reply()
        assert code == 421 and re.match(r"4\.7\.0 Too many messages \(client 192\.0\.2\.10\), please try again in 3\d\d\d seconds \(\w{12}\)", text)
        assert c.at_end()
    assert g.wait_log("session closed.*421 4.7.0 Too many messages")
    assert send(g, ip="192.0.2.11")[1][0] == 250


def test_disagreement_is_remembered(gate):
    g = gate('policy strict { recipients = {"strict@example.org"} reject = 6 scores = {"SPF_FAIL=8"} }\n'
             'policy default { scores = {"SPF_FAIL=8"} }')
    both = ("bob@example.org", "strict@example.org")
    replies, last = send(g, "eve@forged.example", rcpt=both)
    assert [r[0] for r in replies] == [250, 250] and last[0] == 451
    replies, last = send(g, "eve@forged.example", rcpt=both)
    assert [r[0] for r in replies] == [250, 452] and last[0] == 250
    replies, last = send(g, "eve@forged.example", rcpt=both[1:])
    assert replies[0][0] == 250 and last[0] == 554


@pytest.fixture
def redis(tmp_path):
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("skipped: no redis-server")
    port = free_port()

    def start():
        start.process = subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir",
                                          str(tmp_path)], stdout=subprocess.DEVNULL)
        assert wait_for_port(port)

    start.url = f"redis://127.0.0.1:{port}/0"
    start()
    yield start
    start.process.kill()
    start.process.wait()


def test_two_gateways_share_one_redis(gate, redis):
    both = "filter rate { enabled = on sender = 3 window = 1h }\n" + GREYLIST
    a, b = gate(both, store=redis.url), gate(both, store=redis.url)
    assert send(a, "ada@plain.example")[0][0][0] == 451
    time.sleep(2.2)
    assert send(b, "ada@plain.example")[1][0] == 250
    assert send(a, "ada@plain.example")[1][0] == 250
    assert send(b, "ada@plain.example")[0][0][0] == 450
    assert send(a, "ada@plain.example")[0][0][0] == 450


def test_redis_under_load(gate, redis):
    """Two gateways, mail from all sides, Redis goes and comes: each answer is one of ours, and none is late."""
    both = "filter rate { enabled = on recipient = 1000000 sender = 3 window = 1h }"
    a, b = gate(both, store=redis.url), gate(both, store=redis.url)
    got, late, stop = [], [], threading.Event()

    def client(k):
        n = 0
        while not stop.is_set():
            n += 1
            begin = time.time()
            code = send((a, b)[n % 2], f"u{k}n{n}@example.net")[0][0][0]
            got.append(code)
            late.append(time.time() - begin)

    threads = [threading.Thread(target=client, args=(k,), daemon=True) for k in range(4)]
    for t in threads:
        t.start()
    for _ in range(2):
        time.sleep(0.7)
        redis.process.kill()
        redis.process.wait()
        time.sleep(0.7)
        redis()
    time.sleep(0.5)
    stop.set()
    for t in threads:
        t.join(30)
    assert len(got) > 20 and set(got) == {250} and max(late) < 10
    assert a.wait_log("RATE_TEMPERROR") or b.wait_log("RATE_TEMPERROR")
    end = time.time() + 20
    while time.time() < end and send(a)[0][0][0] != 450:
        time.sleep(0.2)
    assert send(a)[0][0][0] == 450 and send(b)[0][0][0] == 450  # both count again, and together


def test_redis_that_stops_and_comes_back(gate, redis):
    g = gate("filter rate { enabled = on sender = 2 window = 1h }", store=redis.url)
    assert send(g)[1][0] == 250
    redis.process.kill()
    redis.process.wait()
    for _ in range(3):
        begin = time.time()
        assert send(g)[1][0] == 250  # on-error = skip
        assert time.time() - begin < 5
    assert g.wait_log("RATE_TEMPERROR")
    redis()
    end = time.time() + 15
    while time.time() < end and send(g)[0][0][0] != 450:
        time.sleep(0.3)
    assert send(g)[0][0][0] == 450


def test_many_senders_are_bounded(gate):
    """Keys without end, of their own making: the store forgets, and neither grows nor fails."""
    g = gate("filter greylist { enabled = on mode = always }\nfilter rate { enabled = on sender = 1000 }\nfilter spf { enabled = off }\n"
             "filter iprev { enabled = off }\nfilter sender_domain { enabled = off }", limits="errors = 100000 messages = 100000 commands = 100000")
    g.stop()
    g.conf.write_text(g.text.replace('directory = "', 'store-size = 4mb directory = "'))
    g.start()
    with Client(g.port, greet=False, timeout=60) as c:
        c.send("PROXY TCP4 192.0.2.10 127.0.0.1 4242 25\r\n")
        c.reply()
        c.hello()
        for _ in range(24):
            names = [f"{os.urandom(100).hex()}@{os.urandom(25).hex()}.example" for _ in range(100)]
            c.send("".join(f"MAIL FROM:<{n}>\r\nRCPT TO:<bob@example.org>\r\nRSET\r\n" for n in names))
            got = [c.reply() for _ in range(300)]
            assert [code for code, _ in got] == [250, 451, 250] * 100, [x for x in got if x[0] == 421]
    assert (g.state / "store" / "data.mdb").stat().st_size <= 4 << 20
    assert "GREYLIST_TEMPERROR" not in g.log() and "store" not in "".join(x for x in g.lines if "level=error" in x)
