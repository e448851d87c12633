"""Postfix alone and with Gatehouse as its milter, by unix socket and by TCP: medians of rounds taken in turn."""
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from gatehouse import Client  # noqa: E402
from milter import MilterGate, main_cf  # noqa: E402
from postfix import Postfix  # noqa: E402

MAIL = (b"From: ann@example.net\r\nTo: bob@example.org\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-Id: <1@example.net>\r\n"
        b"Subject: measured\r\n\r\n" + b"A line of text that says nothing at all.\r\n" * 140)
ROUNDS = 5


def rate(port, mails, sessions):
    def one_session():
        with Client(port) as c:
            c.hello()
            for _ in range(mails // sessions):
                code, text = c.mail(body=MAIL)
                assert code == 250, text

    threads = [threading.Thread(daemon=True, target=one_session) for _ in range(sessions)]
    start = time.time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return mails / (time.time() - start)


def run():
    """Mails a second through Postfix, alone and with our milter."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with MilterGate(folder / "gate") as gate:
            ways = {"Postfix alone": "", "milter, unix socket": main_cf(gate.unix), "milter, TCP": main_cf(gate.inet)}
            rates = {}
            for _ in range(ROUNDS):
                for n, (way, extra) in enumerate(ways.items()):
                    with Postfix(folder / f"pf{n}", extra=extra) as postfix:
                        rate(postfix.port, 20, 1)
                        for sessions, mails in ((1, 60), (8, 240)):
                            rates.setdefault((way, sessions), []).append(rate(postfix.port, mails, sessions))
                        postfix.wait_idle()
    for sessions in (1, 8):
        alone = statistics.median(rates["Postfix alone", sessions])
        for way in ways:
            r = statistics.median(rates[way, sessions])
            print(f"{way:22} {sessions} sessions {r:7.0f} mails/s {r / alone:6.0%} of Postfix alone")


if __name__ == "__main__":
    run()
