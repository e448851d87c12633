"""Random policies, random recipients: each recipient's mail meets the fate that it meets alone, and no reply lies."""
import json
import random
import re
import subprocess

import pytest
from fake_backend import FakeBackend
from gatehouse import Client, Gatehouse
from test_prdr import PrdrBackend

DOMAINS = [f"d{i}.example" for i in range(5)]
SCORES = (2, 4, 6, 8)
RULES = "".join(f"body SCORE_{n} /score-{n}\\b/\nscore SCORE_{n} {n}\n" for n in SCORES) + "body ODD /odd/\nscore ODD 0.5\n"


def level(rng):
    return rng.choice(["off", "off", "3", "5", "7"])


def policies(rng):
    out = ["policy default { tag = 3 reject = 7 }"]
    for i, domain in enumerate(DOMAINS[:-1]):
        out.append(f"policy p{i} {{ recipients = {{\"@{domain}\"}} tag = {level(rng)} redirect = {level(rng)} quarantine = {level(rng)}"
                   f" reject = {level(rng)} redirect-to = spam{rng.randrange(2)}@d0.example"
                   + rng.choice(["", "", ' actions = {"ODD=reject"}', ' actions = {"ODD=quarantine"}', ' scores = {"ODD=4"}'])
                   + rng.choice(["", "", "", " shadow = on"]) + rng.choice(["", " skip = {content}", " use = {content}"]) + " }")
    return "\n".join(out) + f"\nfilter iprev {{ enabled = off }}\nfilter content {{ enabled = {rng.choice(['on', 'off'])} }}\n"


def fates(g, token):
    """recipient → what the backend, or the quarantine, has of it"""
    found = {}
    for m in g.backend.messages:
        if token.encode() not in m["data"]:
            continue
        to = [r.split(b"<")[1].split(b">")[0].decode() for r in m["rcpt"]]
        original = [r.decode() for r in re.findall(rb"X-Gatehouse-Original-To: <(.*?)>\r", m["data"])]
        flag = "tagged" if b"X-Spam-Flag: YES" in m["data"] else "clean"
        for r in original or to:
            found.setdefault(r, []).append(f"redirected to {to[0]}" if original else flag)
    done = subprocess.run([g.program, "quarantine", "list", "-c", str(g.conf), "--json"], capture_output=True, text=True, timeout=60)
    for line in done.stdout.splitlines():
        mail = json.loads(line)
        if token in mail["subject"]:
            for r in mail["recipients"]:
                found.setdefault(r, []).append("held")
    return found


def final(answers, recipient, code):
    """A temporary answer: it comes again."""
    if code < 400 or code >= 500:
        answers[recipient] = "taken" if code == 250 else "refused"


def deliver(g, sender, rcpts, token, words, param=""):
    """As a mail server does, with retries. recipient → "taken" or "refused"."""
    answers, pending = {}, list(rcpts)
    for _ in range(12):
        if not pending:
            break
        with Client(g.port) as c:
            c.hello()
            assert c.code(f"MAIL FROM:<{sender}>{param}") == 250
            inside = []
            for r in pending:
                code, _ = c.cmd(f"RCPT TO:<{r}>")
                assert code in (250, 452) or code >= 500
                if code == 250:
                    inside.append(r)
                elif code >= 500:
                    answers[r] = "refused"
            if not inside:
                continue
            assert c.code("DATA") == 354
            c.send(f"From: {sender}\r\nSubject: {token}\r\n\r\n{words}\r\n.\r\n")
            code, text = c.reply()
            if code == 353:
                for r in inside:
                    final(answers, r, c.reply()[0])
                assert c.reply()[0] in (250, 451, 550, 554)
            else:
                for r in inside:
                    final(answers, r, code)
        pending = [r for r in pending if r not in answers]
    assert not pending, f"{pending} never got a final answer"
    return answers


@pytest.mark.parametrize("kind,seed", [*(("smtp", n) for n in range(5)), ("prdr", 5), ("prdr", 6), ("lmtp", 7)])
def test_each_reply_is_true(tmp_path, kind, seed):
    rng = random.Random(seed)
    (tmp_path / "own.cf").write_text(RULES)
    text = policies(rng)
    backend = PrdrBackend(lmtp=kind == "lmtp") if kind != "smtp" else FakeBackend()
    with backend, Gatehouse(tmp_path / "gate", backend=backend.port, extra=text, domains=", ".join(DOMAINS),
                            backend_settings="protocol = lmtp" if kind == "lmtp" else "",
                            rules=f'rules {{ paths = {{"{tmp_path}/own.cf"}} }}') as g:
        g.backend = backend
        for n in range(10):
            words = f"score-{rng.choice(SCORES)} {rng.choice(['odd', ''])}"
            rcpts = rng.sample([f"u{k}@{d}" for d in DOMAINS for k in range(2)], rng.randrange(2, 8))
            alone, alone_fate = {}, {}
            for i, r in enumerate(rcpts):
                token = f"a{seed}x{n}x{i}x"
                alone.update(deliver(g, f"{token}@example.net", [r], token, words))
                alone_fate[r] = fates(g, token).get(r, [])
            token = f"t{seed}x{n}x"
            together = deliver(g, f"{token}@example.net", rcpts, token, words, " PRDR" if kind != "smtp" else "")
            fate = fates(g, token)
            for r in rcpts:
                assert together[r] == alone[r], (r, words, text)
                assert fate.get(r, []) == alone_fate[r], (r, words, text)
                assert len(fate.get(r, [])) == (1 if together[r] == "taken" else 0), (r, words, text)
