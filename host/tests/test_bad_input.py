"""What is typed wrongly: every command says what is wrong in a sentence, with the exit code that
docs/commands.md has for it, and does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from served_bench import wrench

from wrench import cli

NOBODY = ("--port", "socket://127.0.0.1:9")
NO_DEVICE = ("--port", "/dev/wrench-has-no-such-device")

BAD: list[tuple[str, int, str]] = [
    ("", 2, ""),
    ("jiggle", 2, "No such command 'jiggle'"),
    ("--jiggle", 2, "No such option '--jiggle'"),
    ("analyse missing.mcap", 10, "there is no recording missing.mcap"),
    ("analyse junk.mcap", 10, "junk.mcap is no recording"),
    ("analyse junk.mcap --bearing 6999", 2, "no bearing 6999 in the catalogue (it has 6205, "),
    ("analyse junk.mcap --unit pounds", 2, "'pounds' is not one of 'g', 'mg', 'm/s2', 'mm/s2'"),
    ("analyse junk.mcap -o evidence.doc", 2, "evidence.doc does not end in .png"),
    ("analyse junk.mcap --rpm 0", 2, "'0' is not between 0 and"),
    ("bench jiggle", 2, "No such command"),
    ("bench scenarios healthy", 2, "unexpected extra argument"),
    ("bench up --scenario jiggle", 2, "there is no scenario 'jiggle'; choose one of: healthy, "),
    ("bench up --board jiggle", 2, "no board has this name; `wrench boards list`"),
    ("bench up --board junk.toml", 2, "junk.toml: not valid TOML"),
    ("bench up --speed slow", 2, "'slow' is not one of 'real', 'fast'"),
    ("bench up --image jiggle", 3, "'jiggle' is neither a UF2 file nor a kind of image"),
    ("bench up --image junk.uf2", 3, "is not a complete UF2 file"),
    ("bench up --replay missing.wav", 10, "there is no recording missing.wav"),
    ("bench up --fs 3200", 2, "are of a recording; name it with --replay"),
    ("bench up --replay missing.wav --fs 0", 2, "0 is not in the range"),
    ("bench up --sensor ear", 2, "no board file has the sensor ear; choose one of adxl345, "),
    (
        "bench up --sensor adxl345 --board pico-mpu6050-two-pwm",
        2,
        "has another sensor than adxl345",
    ),
    ("bench up --port 0", 2, "0 is not in the range"),
    ("boards check jiggle", 2, "1 of 1 board file cannot be used"),
    ("boards check", 2, "Missing argument 'FILE...'"),
    ("boards list jiggle", 2, "unexpected extra argument"),
    ("boards keys jiggle", 2, "unexpected extra argument"),
    ("capture", 2, "Missing option"),
    ("capture --seconds 1 -o x.mcap {nobody}", 5, "nothing listens"),
    ("demo --replay missing.wav", 10, "there is no recording missing.wav"),
    ("demo --seed -1", 2, "-1 is not in the range"),
    ("doctor --for soon", 2, "'soon' is not a time; give a number and ms, s, min, h or d"),
    ("doctor {no_device}", 1, "to be mended: "),
    ("evaluate", 2, "give a folder of recordings, or --synthetic N"),
    ("evaluate missing", 11, "there is no folder missing"),
    ("evaluate .", 11, "has no recording whose truth is known: add labels.csv"),
    ("evaluate --synthetic 0", 2, "0 is not in the range"),
    ("export missing.mcap --to wav", 10, "there is no missing.mcap"),
    ("export junk.mcap --to wav", 10, "junk.mcap is no recording"),
    ("export junk.mcap --to doc", 2, "'doc' is not one of"),
    ("flash --board jiggle", 2, "no board has this name"),
    ("flash --board junk.mcap", 2, "no board file: the name of one ends in .toml"),
    ("flash --board pico-adxl345 --image jiggle {nobody}", 3, "neither a UF2 file nor a kind"),
    ("flash {no_device}", 5, "there is no /dev/wrench-has-no-such-device"),
    ("hil jiggle", 2, "No such command"),
    ("hil campaign --faults 0", 2, "0 is not in the range"),
    ("hil fuzz --frames 0", 2, "0 is not in the range"),
    ("hil fuzz --against wire", 2, "'wire' is not one of 'chip', 'host', 'both'"),
    ("hil smoke --bench desk", 2, "'desk' is not one of"),
    ("hil full --rig none.toml", 14, "there is no none.toml"),
    ("hil smoke --bench virtual --port COM9", 14, "an emulated board has no port"),
    ("hil soak --hours 0", 2, "0.0 is not in the range"),
    ("hil soak --board none.toml", 2, "none.toml"),
    ("image get --kind jiggle", 2, "'jiggle' is not one of"),
    ("image get --file missing.uf2", 3, "cannot read missing.uf2"),
    ("image build --kind stock --frozen", 2, "--frozen goes with --kind wrench only"),
    ("image list jiggle", 2, "unexpected extra argument"),
    ("info missing.mcap", 10, "there is no missing.mcap"),
    ("info junk.mcap", 10, "junk.mcap is no recording"),
    ("limits jiggle", 2, "No such command"),
    ("limits set jiggle trip 3A", 2, "there is no protection 'jiggle'; `wrench limits` lists them"),
    ("limits set over-current", 2, "Missing argument '[LEVEL] VALUE'"),
    ("limits set over-current 3A", 2, "give a level (alarm, limit, trip) and a value"),
    ("limits set over-current often 3A", 2, "give a level (alarm, limit, trip) and a value"),
    ("limits set over-current trip 3V", 2, "'3V' is no value here; write it as '3.00 A'"),
    ("limits set settings-corrupt trip 3A", 2, "'3A' is no value here"),
    ("limits set speed 170%", 2, "'170%' is out of range; give 0.1% to 100% of rated speed"),
    ("log --since jiggle", 2, "'jiggle' is not a time; give how long ago (30min, 2h, 3d), today"),
    ("maintenance {no_device}", 5, "there is no /dev/wrench-has-no-such-device"),
    ("monitor {no_device}", 5, "there is no /dev/wrench-has-no-such-device"),
    ("record", 2, "Missing option"),
    ("record -o x.mcap --for soon", 2, "'soon' is not a time"),
    ("recover missing.mcap", 10, "missing.mcap cannot be read"),
    ("recover junk.mcap", 10, "junk.mcap is no recording"),
    ("report missing.mcap", 10, "there is no recording missing.mcap"),
    ("report junk.mcap", 10, "junk.mcap is no recording"),
    ("reset {nobody}", 5, "nothing listens"),
    ("run", 2, "Missing option '--speed'"),
    ("run --speed fast", 2, "'fast' is not a speed; give a percentage of rated speed"),
    ("run --speed 0", 2, "'0' is out of range; give 0.1% to 100% of rated speed"),
    ("run --speed 170%", 2, "'170%' is out of range"),
    ("run --speed 60% --for 0", 2, "'0' is no time at all; give more than 0"),
    ("run --speed 60% --until-file junk.toml", 2, "junk.toml is there already"),
    ("run --speed 60% {nobody}", 5, "nothing listens"),
    ("settings get jiggle", 2, "there is no setting 'jiggle'; there are ceiling_permille, "),
    ("settings set jiggle 5", 2, "there is no setting 'jiggle'"),
    ("settings set ceiling_permille much", 2, "'much' is not a valid integer"),
    ("settings factory", 2, "nobody is there to be asked; say --yes"),
    ("settings diff {nobody}", 5, "nothing listens"),
    ("setup jiggle", 2, "unexpected extra argument"),
    ("status --port bogus://x", 5, "cannot open bogus://x; check the name"),
    ("status {no_device}", 5, "there is no /dev/wrench-has-no-such-device"),
    ("stop {nobody}", 5, "nothing listens"),
    ("time {nobody}", 5, "nothing listens"),
    ("triage missing.csv --budget 5", 2, "there is no missing.csv; give a CSV file"),
    ("triage junk.toml --budget 5", 2, "its first line has no columns; begin with their names"),
    ("triage junk.toml", 2, "Missing option '--budget'"),
    ("triage junk.toml --budget 0", 2, "'0' buys nothing; give an amount above 0"),
    ("triage junk.toml --budget -5", 2, "'-5' buys nothing; give an amount above 0"),
    ("triage junk.toml --budget nan", 2, "'nan' is no number; write one such as 120.5"),
    ("triage junk.toml --budget 5 --order power,Power", 2, "name each class once"),
    ("triage junk.toml --budget 5 -o x.gif", 2, "end it in .png, .svg or .pdf"),
    ("triage junk.toml --budget 5 -o none/x.png", 11, "there is no folder none; make it"),
    ("view missing.mcap", 10, "there is no recording missing.mcap"),
]


@pytest.fixture(autouse=True)
def _folder_of_its_own(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("WRENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("junk.mcap", "junk.uf2"):
        Path(name).write_text("junk\n")
    Path("junk.toml").write_text("x = [\n")


@pytest.mark.parametrize(("line", "code", "said"), BAD, ids=[line for line, _, _ in BAD])
def test_bad_input_is_a_sentence_and_its_exit_code(line: str, code: int, said: str) -> None:
    filled = line.format(nobody=" ".join(NOBODY), no_device=" ".join(NO_DEVICE))
    before = set(Path().iterdir())
    told = wrench(*filled.split())
    assert told.returncode == code
    assert "Traceback" not in told.stdout + told.stderr
    assert set(Path().iterdir()) == before, "it leaves nothing behind"
    if not said:
        return
    *_, last = told.stderr.splitlines()
    assert last.startswith(("wrench: ", "Error: "))
    assert said in last


def leaves(command: click.Command, path: str) -> Iterator[str]:
    """The commands that do something, groups that do included."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            deeper = command.get_command(context, name)
            assert deeper is not None
            yield from leaves(deeper, f"{path} {name}".strip())


def test_every_command_is_tried() -> None:
    tried = [line for line, _, _ in BAD]
    missing = [
        path
        for path in leaves(cli.wrench, "")
        if not any(re.match(rf"{re.escape(path)}( |$)", line) for line in tried)
    ]
    assert missing == []
