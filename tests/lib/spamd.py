"""SpamAssassin's daemon on loopback, local tests alone, to compare with."""
import os
import signal
import socket
import subprocess
from pathlib import Path

from gatehouse import free_port, wait_for_port
from unpacked import unpacked

SETTINGS = ("use_bayes 0", "use_auto_whitelist 0", "use_txrep 0")


class Spamd:
    """with Spamd(folder) as s: … s.check(mail) … s.pids(); None of it if s.why tells why not."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None
        self.root = unpacked("spamd", ["spamd"])
        self.why = None if self.root else "the package spamd can't be had"

    def __enter__(self):
        if self.why:
            return self
        command = ["perl", "-T", str(self.root / "usr/sbin/spamd"), "-L", "-i", "127.0.0.1", "-p", str(self.port), "-m", "1",
                   "--min-children=1", "--max-conn-per-child=1000000", "-x", "-u", "nobody", "-s", "stderr",
                   "-H", str(self.folder)]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([*command, *[f"--cf={s}" for s in SETTINGS]], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        if not wait_for_port(self.port, 60):
            self.why = "spamd did not start: " + (self.folder / "log").read_text(errors="replace")[-300:]
        return self

    def __exit__(self, *exc):
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)

    def pids(self):
        out = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout
        return [self.process.pid, *map(int, out.split())]

    def check(self, mail):
        """What spamc -c does: the score."""
        with socket.create_connection(("127.0.0.1", self.port), 120) as s:
            s.sendall(b"CHECK SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(mail) + mail)
            s.shutdown(socket.SHUT_WR)
            reply = b""
            while got := s.recv(65536):
                reply += got
        assert b"Spam: " in reply, reply
        return float(reply.split(b";")[1].split(b"/")[0])
