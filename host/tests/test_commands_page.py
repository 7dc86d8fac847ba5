"""docs/commands.md says what the commands do: its exit codes, its examples, its completion."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import click.testing
import pytest
from click.shell_completion import CompletionItem, ShellComplete

from wrench import cli, errors
from wrench.cli.limits import limits
from wrench.cli.settings import settings
from wrench.transport import BoardPorts

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
EXAMPLES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.M | re.S)
    for line in block.splitlines()
]
WRENCH = [
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'wrench'; from wrench.cli import main; main()",
]


def kinds(base: type[errors.WrenchError]) -> list[type[errors.WrenchError]]:
    return [base, *(deeper for one in base.__subclasses__() for deeper in kinds(one))]


def test_every_exit_code_is_on_the_page_and_in_the_tree() -> None:
    ours = [kind for kind in kinds(errors.WrenchError) if kind.__module__ == errors.__name__]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.M)}
    assert {kind.exit_code for kind in ours} <= listed
    assert {0, 2, 130} <= listed
    for kind in ours:
        assert re.search(rf"{kind.__name__} .*\b{kind.exit_code}\b", errors.__doc__ or ""), kind


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_with_options_that_there_are(example: str) -> None:
    words = shlex.split(example)
    assert words[0] == "wrench"
    context = click.Context(cli.wrench, info_name="wrench")
    command: click.Command = cli.wrench
    rest = words[1:]
    while isinstance(command, click.Group) and rest:
        deeper = command.get_command(context, rest[0])
        if deeper is None:
            break
        command, rest = deeper, rest[1:]
    rest = [word for word in rest if not word.startswith("[")]
    rest += ["--yes"] * any(it.name == "yes" for it in command.params)
    made = command.make_context(command.name, rest, parent=context, resilient_parsing=False)
    assert made.command is command


def test_a_stop_waits_for_nothing_that_it_does_not_need() -> None:
    code = "import sys, wrench.cli, wrench.cli.control; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY & set(loaded.stdout.split()) == set()


HEAVY = {"numpy", "rp2040py", "mpremote", "asyncio", "pydantic", "wrench.image", "wrench.boards"}


@pytest.mark.parametrize("name", ["boards", "doctor", "flash", "log", "setup", "settings"])
def test_the_help_of_a_command_waits_for_nothing_that_it_does_not_need(name: str) -> None:
    code = f"""
import sys
sys.argv = ["wrench", "{name}", "--help"]
from wrench.cli import main
main()
print(*sys.modules)
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert f"Usage: wrench {name} " in loaded.stdout
    assert HEAVY & set(loaded.stdout.split()) == set()


@pytest.mark.parametrize(
    "asked", [{}, {"_WRENCH_COMPLETE": "zsh_complete", "COMP_WORDS": "wrench r", "COMP_CWORD": "1"}]
)
def test_the_list_of_commands_imports_none_of_them(asked: dict[str, str]) -> None:
    code = f"""
import atexit, sys
atexit.register(lambda: print(*sys.modules))
sys.argv = ["wrench"{"" if asked else ', "--help"'}]
from wrench.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Run the motor for as long as this command lives." in done.stdout
    ours = {name for name in done.stdout.split() if name.startswith("wrench.")}
    assert ours <= {"wrench.cli", "wrench.errors"}


def test_the_list_of_commands_has_whole_sentences_on_a_terminal_of_80_columns() -> None:
    listed = click.testing.CliRunner().invoke(cli.wrench, ["--help"], terminal_width=80).output
    rows = listed.partition("Commands:\n")[2].splitlines()
    assert [row.split()[0] for row in rows] == cli.wrench.list_commands(click.Context(cli.wrench))
    for row in rows:
        assert re.fullmatch(r"  [a-z]+ +[A-Z][^.]*\.", row), row


def test_every_command_is_listed_and_is_there() -> None:
    context = click.Context(cli.wrench)
    names = cli.wrench.list_commands(context)
    assert {"run", "stop", "status", "log"} <= set(names)
    for name in names:
        command = cli.wrench.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert cli.wrench.get_command(context, "control") is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("module", ["wrench.cli", "wrench.cli.control", "wrench.board"])
def test_ctrl_c_while_a_command_is_being_imported_is_one_line(module: str) -> None:
    # In a callback of a weak reference, as there are in imports, an exception would be lost.
    code = f"""
import os, signal, sys, weakref
class Finder:
    def find_spec(self, name, *_):
        if name == {module!r}:
            gone = set()
            watched = weakref.ref(gone, lambda _: os.kill(os.getpid(), signal.SIGINT))
            del gone
sys.meta_path.insert(0, Finder())
sys.argv = ["wrench", "stop", "--port", "loop://"]
from wrench.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "wrench: interrupted\n")


def completed(*words: str) -> set[str]:
    """What the shell is offered for the last word."""
    done = subprocess.run(
        WRENCH,
        env=os.environ
        | {
            "_WRENCH_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_the_shell_completes_commands_protections_and_levels() -> None:
    assert completed("wrench", "l") == {"limits", "log"}
    assert completed("wrench", "limits", "set", "over") == {"over-current", "over-speed"}
    assert completed("wrench", "limits", "set", "over-current", "t") == {"trip"}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bench up --scenario r", {"run-to-failure"}),
        ("bench up --board pico-adxl", {"pico-adxl345", "pico-adxl345-i2c-pwm-enable"}),
        ("bench up --image w", {"wrench", "wrench-frozen"}),
        ("flash --board pico-mpu", {"pico-mpu6050-two-pwm"}),
        ("flash --image s", {"stock"}),
        ("boards check pico-analog", {"pico-analog-piezo-esc"}),
        ("status --port soc", {"socket://127.0.0.1:7001", "socket://127.0.0.1:8000"}),
        ("settings set probation_h", {"probation_healthy_ms", "probation_hold"}),
        ("limits set sp", {"speed"}),
        ("run --ta", {"--take-over"}),
        ("bench up --speed f", {"fast"}),
    ],
)
def test_the_shell_completes_values(
    line: str, offered: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = BoardPorts("one", "socket://127.0.0.1:7000", "socket://127.0.0.1:7001", "bench 1")
    bare = BoardPorts("two", "socket://127.0.0.1:8000", None, "bench 2")
    monkeypatch.setattr("wrench.transport.attached", lambda: [one, bare])
    assert {it.value for it in completions(line)} == offered


@pytest.mark.parametrize("line", ["flash --board ./bo", "flash --image ./im", "run --port /dev/tt"])
def test_where_no_name_fits_the_shell_offers_files(line: str) -> None:
    assert [it.type for it in completions(line)] == ["file"]


def completions(line: str) -> list[CompletionItem]:
    *before, typed = line.split()
    return ShellComplete(cli.wrench, {}, "wrench", "_").get_completions(before, typed)


def test_settings_and_limits_complete_in_process() -> None:
    (name,) = [it for it in settings.commands["get"].params if it.name == "name"]
    context = click.Context(settings.commands["get"])
    assert [item.value for item in name.shell_complete(context, "ceil")] == ["ceiling_permille"]
    (protection,) = [it for it in limits.commands["set"].params if it.name == "protection"]
    assert "speed" in [item.value for item in protection.shell_complete(context, "")]


def test_the_readme_tells_every_command() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    table = readme.partition("| command | what it does |")[2].partition("\n\n")[0]
    told = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([a-z]+)`", row.split("|")[1] if "|" in row[1:] else "")
    }
    assert told == set(cli.wrench.list_commands(click.Context(cli.wrench)))
