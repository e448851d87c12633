"""Quarantine: nothing is taken that isn't on disk, nothing is handed over that the backend didn't take."""
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse

ZONE = 'forged.example. 60 IN TXT "v=spf1 -all"\nexample.net. 60 IN A 192.0.2.1\n'
POLICY = """policy default { quarantine = 6 scores = {"SPF_FAIL=8"} }
networks { trusted = {10.0.0.1} internal = {10.0.0.1} }
"""
BODY = b"From: eve@forged.example\r\nSubject: win\x07ner\r\nMessage-ID: <1@forged.example>\r\n\r\n..dots\r\n.\x2e\r\nend\r\n"


@pytest.fixture
def gate(tmp_path):
    with FakeBackend() as backend:
        (tmp_path / "zone").write_text(ZONE)
        with Gatehouse(tmp_path / "gate", backend=backend.port, extra=POLICY,
                       dns=f'zone-file = "{tmp_path / "zone"}"') as g:
            g.backend = backend
            yield g


def quarantine(g, *args):
    return subprocess.run([g.program, "quarantine", args[0], "-c", str(g.conf), *args[1:]], capture_output=True,
                          timeout=30)


def held(g):
    return [json.loads(line) for line in quarantine(g, "list", "--json").stdout.splitlines()]


def send(g, n=1, body=BODY):
    with Client(g.port) as c:
        c.hello()
        return c.mail(f"bob{n}@example.org", "eve@forged.example", body)


def test_hold_show_release_once(gate):
    code, text = send(gate)
    assert code == 250 and text.startswith("2.0.0 Ok: held for inspection (")
    assert gate.backend.messages == []
    mail = held(gate)[0]
    assert mail["id"] in text and mail["sender"] == "eve@forged.example" and mail["recipients"] == ["bob1@example.org"]
    assert mail["score"] >= 8 and mail["policy"] == "default" and mail["released"] is False
    assert b"win?ner" in quarantine(gate, "list").stdout
    shown = quarantine(gate, "show", mail["id"]).stdout
    assert shown.endswith(b"\r\n.dots\r\n.\r\nend\r\n") and b"X-Spam-Flag: YES\r\n" in shown
    done = quarantine(gate, "release", mail["id"])
    assert done.returncode == 0, done.stderr
    sent = gate.backend.messages[0]
    assert sent["data"] == shown and sent["mail"].startswith(b"MAIL FROM:<eve@forged.example>")
    assert sent["rcpt"][0].startswith(b"RCPT TO:<bob1@example.org>")
    assert held(gate)[0]["released"] is True
    again = quarantine(gate, "release", mail["id"])
    assert again.returncode == 65 and len(gate.backend.messages) == 1
    assert quarantine(gate, "release", "--again", mail["id"]).returncode == 0
    assert len(gate.backend.messages) == 2


@pytest.mark.parametrize("script", [{"content": b"451 4.3.0 no\r\n"}, {"RCPT": b"550 5.1.1 gone\r\n"}, {"DATA": "close"},
                                    {"content": "close"}, {"banner": b"421 no\r\n"}])
def test_a_release_that_fails_leaves_it_held(gate, script):
    send(gate)
    gate.backend.script.update(script)
    mail = held(gate)[0]
    done = quarantine(gate, "release", mail["id"])
    assert done.returncode == 75 and b"is still held" in done.stderr
    assert held(gate)[0]["released"] is False
    gate.backend.script.clear()
    assert quarantine(gate, "release", mail["id"]).returncode == 0
    assert held(gate)[0]["released"] is True


def test_two_releases_at_once(gate):
    send(gate)
    mail = held(gate)[0]
    results = []
    def release():
        results.append(quarantine(gate, "release", mail["id"]).returncode)
    threads = [threading.Thread(daemon=True, target=release)
               for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results.count(0) == 1 and len(gate.backend.messages) == 1


def test_odd_ids_and_expiry(gate):
    send(gate)
    for bad in ("../../etc/passwd", "", "nosuchid0000", "tmp"):
        assert quarantine(gate, "release", bad).returncode == 66
    tmp = gate.state / "quarantine" / "tmp"
    for name, age in (("old", 7200), ("new", 60)):
        (tmp / name).write_text("half a mail")
        os.utime(tmp / name, (time.time() - age,) * 2)
    assert b"0 removed" in quarantine(gate, "expire").stdout
    assert [p.name for p in tmp.iterdir()] == ["new"]
    assert b"1 removed" in quarantine(gate, "expire", "--older", "0s").stdout or time.sleep(1.1) or \
        b"1 removed" in quarantine(gate, "expire", "--older", "0s").stdout
    assert held(gate) == []


def test_no_room_is_451(gate):
    folder = gate.state / "quarantine"
    folder.write_text("in the way")
    code, text = send(gate)
    assert code == 451 and text.startswith("4.3.0 ")
    folder.unlink()
    assert send(gate)[0] == 250


def test_kill_at_random_loses_nothing(gate):
    """What got 250 is held; what is held is whole."""
    taken, stop = [], threading.Event()

    def client(k):
        n = 0
        while not stop.is_set():
            n += 1
            try:
                code, text = send(gate, f"{k}x{n}")
                if code == 250:
                    taken.append(f"bob{k}x{n}@example.org")
            except (OSError, AssertionError, ValueError):
                time.sleep(0.05)

    threads = [threading.Thread(daemon=True, target=client, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    rng = random.Random(5)
    for _ in range(5):
        time.sleep(rng.uniform(0.2, 0.6))
        for pid in gate.worker_pids():
            os.kill(pid, signal.SIGKILL)
    time.sleep(1.5)
    stop.set()
    for t in threads:
        t.join()
    assert len(taken) > 10
    mails = held(gate)
    assert set(taken) <= {m["recipients"][0] for m in mails}
    for m in random.Random(6).sample(mails, 5):
        assert quarantine(gate, "show", m["id"]).stdout.endswith(b"\r\nend\r\n")


def test_kill_during_release_doubles_at_most_the_gap(gate):
    """A release killed before the backend's 250 leaves the mail held."""
    send(gate)
    mail = held(gate)[0]
    gate.backend.script["content"] = b""
    at = len(gate.backend.commands)
    p = subprocess.Popen([gate.program, "quarantine", "release", "-c", str(gate.conf), mail["id"]],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.time() + 20
    while gate.backend.commands[at:].count("DATA") == 0 and time.time() < end:
        time.sleep(0.02)
    p.kill()
    p.wait()
    assert held(gate)[0]["released"] is False
    gate.backend.script.clear()
    assert quarantine(gate, "release", mail["id"]).returncode == 0
    assert len(gate.backend.messages) == 1


def test_kill_releases_at_random(gate):
    """Whatever is killed when: in the end each mail has been handed over, doubled only where one died."""
    for n in range(12):
        assert send(gate, n)[0] == 250
    rng, killed = random.Random(8), 0
    for mail in held(gate):
        p = subprocess.Popen([gate.program, "quarantine", "release", "-c", str(gate.conf), mail["id"]],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p.wait(rng.uniform(0.005, 0.06))
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            killed += 1
    left = [m["id"] for m in held(gate) if not m["released"]]
    for mail in left:
        assert quarantine(gate, "release", mail).returncode == 0
    assert all(m["released"] for m in held(gate)) and len(held(gate)) == 12
    copies = [sum(f"<bob{n}@example.org>".encode() in m["rcpt"][0] for m in gate.backend.messages) for n in range(12)]
    assert min(copies) == 1 and max(copies) <= 2 and sum(copies) - 12 <= killed
    assert len({re.search(rb"(?m)^Received: .*(?:\n\t.*)*? id (\w+)", m["data"])[1] for m in gate.backend.messages}) == 12


def test_what_is_held_stays_though_it_is_too_large(gate):
    """Its sender has been told 250: it goes when another one comes, and that is logged."""
    gate.stop()
    gate.conf.write_text(gate.text.replace('directory = "', 'quarantine-size = 1k directory = "'))
    gate.start()
    send(gate, body=BODY + b"x" * 900 + b"\r\n" + b"y" * 900 + b"\r\n")
    assert len(held(gate)) == 1
    second = send(gate)[1]
    done = quarantine(gate, "expire")
    assert b"1 removed" in done.stdout and b"never released, over quarantine-size" in done.stderr
    assert [m["id"] for m in held(gate)] == [second[-13:-1]]
