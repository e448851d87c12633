"""What the program says when it is called wrongly: one line that names what is wrong, and where its help is."""
import subprocess

import pytest

from gatehouse import PROGRAM

COMMANDS = ["run", "check", "scan", "spf", "rules", "why", "replay", "shadow", "quarantine", "status", "reload"]


def run(*args):
    p = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return p.returncode, p.stdout, p.stderr


@pytest.mark.parametrize("args, code, where, text", [
    ([], 64, "err", "usage: gatehouse COMMAND"),
    (["--help"], 0, "out", "usage: gatehouse COMMAND"),
    (["help"], 0, "out", "usage: gatehouse COMMAND"),
    (["--version"], 0, "out", "gatehouse 0."),
    (["help", "check"], 0, "out", "usage: gatehouse check"),
    (["chek"], 64, "err", "did you mean 'check'?"),
    (["help", "chek"], 64, "err", "did you mean 'check'?"),
    (["workr"], 64, "err", "unknown command 'workr'\n"),
    (["worker"], 64, "err", "is started by gatehouse run"),
    (["-c", "x"], 64, "err", "unknown command '-c'"),
])
def test_program(args, code, where, text):
    got, out, err = run(*args)
    assert got == code
    assert text in (out if where == "out" else err)
    assert (err if where == "out" else out) == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command(command):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "") and out.startswith(f"usage: gatehouse {command} ")
    assert "--config FILE" in out and "--help" not in out
    for wrong, text in [("--frobnicate", "unknown option '--frobnicate'"), ("-q", "unknown option '-q'"),
                        ("-c", "option '-c' needs a value"), ("--help=1", "option '--help' takes no value"),
                        ("--confg", "did you mean '--config'?")]:
        code, out, err = run(command, wrong)
        assert (code, out) == (64, "")
        assert err.startswith(f"gatehouse {command}: ") and text in err
        assert err.endswith(f"\nTry gatehouse {command} --help\n") and err.count("\n") == 2


@pytest.mark.parametrize("args, text", [
    ("run more", "unexpected argument 'more'"),
    ("run --json", "unknown option '--json'"),
    ("status more", "unexpected argument 'more'"),
    ("check stray", "unexpected argument 'stray'"),
    ("check --rules", "option '--rules' needs a value"),
    ("scan", "what is to be scanned?"),
    ("scan --c x", "'--c' is the beginning of several options"),
    ("scan --client 192.0.2.300 x", "--client: '192.0.2.300' is not an IP address"),
    ("scan --time noon x", "--time: 'noon' is not a time in seconds since 1970"),
    ("scan --slowest all x", "--slowest: 'all' is not a number"),
    ("scan --rcpt a@b@c x", "a@b@c: "),
    ("spf --client 192.0.2.1", "--client and --from are needed"),
    ("spf --client x --from a@b.org", "--client: 'x' is not an IP address"),
    ("spf --engine x", "--engine: 'x' is not one of native, libspf2"),
    ("spf --client 192.0.2.1 --from a@b.org more", "unexpected argument 'more'"),
    ("rules", "say which: list, explain, test, functions"),
    ("rules lst", "unknown 'lst': did you mean 'list'?"),
    ("rules list more", "unexpected argument 'more'"),
    ("rules explain", "explain needs the name of a rule"),
    ("why", "the id of a message is needed"),
    ("replay", "an id, or a file of gatehouse why --record, is needed"),
    ("replay --mail x a b", "--mail is the mail of one id"),
    ("shadow promot x", "unknown 'promot': did you mean 'promote'?"),
    ("shadow promote", "promote needs the name"),
    ("shadow --write", "--write belongs to promote"),
    ("quarantine", "say which: list, show, release, expire"),
    ("quarantine relaese x", "unknown 'relaese': did you mean 'release'?"),
    ("quarantine list more", "unexpected argument 'more'"),
    ("quarantine show", "show needs the id of one mail"),
    ("quarantine release", "release needs the id of a mail"),
    ("quarantine expire --older old", "--older: 'old' is not an age"),
])
def test_arguments(args, text):
    code, out, err = run(*args.split())
    assert (code, out) == (64, "")
    assert text in err and err.count("\n") <= 2


def test_nothing_a_terminal_would_obey():
    assert run("rules", "\x1b[2Jx")[2].startswith("gatehouse rules: unknown '\\x1b[2Jx'")
    assert "\x1b" not in run("\x1b[2Jx")[2]


def test_options_of_shadow_stand_anywhere(tmp_path):
    for args in (["promote", "x", "-c", "/nonexistent/conf"], ["-c", "/nonexistent/conf", "promote", "x", "--write"]):
        assert run("shadow", *args) == (78, "", "/nonexistent/conf: No such file or directory\n")


@pytest.mark.parametrize("command", ["scan -", "spf --client 192.0.2.1 --from a@example.org"])
def test_zone_files(tmp_path, command):
    zone = tmp_path / "zone"
    assert run(*command.split(), "--zone", str(zone)) == (66, "", f"{zone}: No such file or directory\n")
    zone.write_text("example.org. 60 IN A 192.0.2.1\nexample.org. IN A 192.0.2.300\n")
    code, out, err = run(*command.split(), "--zone", str(zone))
    assert (code, out) == (65, "") and err.startswith(f"{zone}:2: ")
