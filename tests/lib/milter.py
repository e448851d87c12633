"""Gatehouse as a milter alone: a configuration with milter sections and no listener."""
import re

from gatehouse import Gatehouse, free_port


class MilterGate(Gatehouse):
    """with MilterGate(folder) as g: … g.unix, g.inet: addresses as Postfix writes them."""

    def __init__(self, folder, milter="", inet_milter="", **kwargs):
        super().__init__(folder, **kwargs)
        self.path = self.folder / "milter.sock"
        self.inet_port = free_port()
        text = re.sub(r"listen smtp \{.*?\n.*?\}\n", "", self.text, count=1, flags=re.S)
        text = re.sub(r"backend main \{.*?\n.*?\}\n", "", text, count=1, flags=re.S)
        self.text = text + f"""
milter unix {{ address = "unix:{self.path}"
  socket-mode = 0666
  {milter} }}
milter inet {{ address = "inet:127.0.0.1:{self.inet_port}"
  {inet_milter} }}
"""
        self.conf.write_text(self.text)

    def stop(self, timeout=30):
        status = super().stop(timeout)
        assert "Sanitizer" not in self.log(), self.log()
        return status

    @property
    def unix(self):
        return f"unix:{self.path}"

    @property
    def inet(self):
        return f"inet:127.0.0.1:{self.inet_port}"

    def transactions(self):
        return [fields(line) for line in self.lines if "event=transaction" in line]


def fields(line):
    """A logfmt line as a dictionary."""
    return {k: (v[1:-1].replace('\\"', '"') if v.startswith('"') else v)
            for k, v in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)}


def action_score_hits(f):
    return f["action"], f["score"], tuple(sorted(filter(None, re.split(r",(?=[A-Z])", f.get("hits", "")))))


def main_cf(address, action="tempfail", more=""):
    """What main.cf needs to use that milter."""
    return f"""smtpd_milters = {address}
milter_default_action = {action}
milter_protocol = 6
{more}"""
