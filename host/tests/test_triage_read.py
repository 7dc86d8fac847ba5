"""Lists of parts as people write them, and what is told of those that cannot be used."""

from __future__ import annotations

import codecs
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from wrench.cli import wrench
from wrench.errors import PartsError
from wrench.triage.read import read

HEAD = "part,class,cost,probability\n"


@pytest.fixture
def written(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "parts.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_spreadsheet_s_semicolons_and_decimal_commas(written) -> None:
    text = "Part;Class;Cost [EUR];Probability\r\nseal; Life_Support ;12,50;0,25\r\n"
    text += ";;;\r\nfan;power;3;7 %\r\n"
    for content in (codecs.BOM_UTF8 + text.encode(), text.encode("utf-16")):
        parts = read(written(content))
        seal, fan = parts.parts
        assert (seal.criticality, float(seal.cost), seal.probability) == (
            "life support",
            12.5,
            0.25,
        )
        assert (fan.probability, fan.line) == (pytest.approx(0.07), 4)
        assert parts.currency == "EUR"


def test_rates_and_boards_become_probabilities_over_the_horizon(written) -> None:
    path = written(
        "part,class,cost,rate,board\na,power,1,0.5/year,\nb,power,1,2e5 FIT,\nc,power,1,,drill\n"
    )

    class Watcher:
        def failure_probability(self, board: str, horizon_h: float) -> float | None:
            return 0.75 if (board, horizon_h) == ("drill", 876.6) else None

    chances = [part.probability for part in read(path, 876.6, watcher=Watcher()).parts]
    assert chances == pytest.approx([1 - math.exp(-0.05), 1 - math.exp(-2e-4 * 876.6), 0.75])
    with pytest.raises(PartsError, match=r"line 2: a rate needs a horizon.*--horizon"):
        read(path)
    with pytest.raises(PartsError, match="line 4: probability: nothing is known of board 'drill'"):
        read(path, 1.0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty; give a line of column names"),
        (" \n\n", "is empty"),
        (HEAD, "has no parts; give a line for each"),
        ("seal,power,1,0.1\nfan,power,2,0.2\n", "line 1: this names no columns; put a line"),
        ("part,class,cost,probabilty\na,power,1,0.1\n", "did you mean probability"),
        ("part,class,cost\na,power,1\n", "nothing tells how likely"),
        ("part,cost,probability\na,1,0.1\n", "there is no column 'class'; add it"),
        ("part,part,class,cost,probability\n", "two columns are called 'part'"),
        (HEAD + "a,power,1,1.2\n", "line 2: probability: '1.2' is a probability above 1"),
        (HEAD + "a,power,1,nan\n", "line 2: probability: 'nan' is no number"),
        (HEAD + "a,power,,0.1\n", "line 2: cost is missing; write what a new one costs"),
        (HEAD + "a,power,-1,0.1\n", "line 2: cost: '-1' is below 0"),
        (HEAD + "a,power,1e400,0.1\n", "line 2: cost: '1e400' is beyond all bounds"),
        (HEAD + "a,power,1,\n", "line 2: probability: it is missing"),
        (HEAD + "a,glory,1,0.1\n", "line 2: class: 'glory' is none of life support, propulsion"),
        (HEAD + ",power,1,0.1\n", "line 2: the part has no name"),
        (HEAD + "a,power,1,0.1\na,power,1,0.1\n", "line 3: 'a' is in line 2 already"),
        (HEAD + "a,power,1 EUR,0.1\nb,power,1 USD,0.1\n", "line 3: cost: it is in USD here and"),
        (HEAD + 'a,power,"1,5",0.1\n', "has a decimal comma, and lines before it|decimal point"),
        (HEAD + "a,power,1,0.1,9\n", "line 2: 5 cells where the first line names 4 columns"),
        (HEAD + 'a,power,1,"0.1\n', "look for a quote without its second one"),
        ("part;class;cost;probability\na;power;1.200,5;0,1\n", "without any for thousands"),
        ("part,class,cost,rate\na,power,1,3\n", "has no unit; write it as 3/year or 3/h"),
        ("part,class,cost,rate\na,power,1,3/moon\n", "is no unit of a rate"),
        (HEAD[:-1] + ",needs\na,power,1,0.1,a\n", "line 2: 'a' needs itself; leave that out"),
        (HEAD[:-1] + ",needs\nfan,power,1,0.1,fam\n", "needs 'fam', which is not in the list; did"),
        (HEAD[:-1] + ",needs\na,power,1,0.1,b\nb,power,1,0.1,a\n", "needs goes in a circle: "),
        (HEAD[:-1] + ",raises\na,power,1,0.1,b:1\nb,power,1,0.1,a:1\n", "raises goes in a circle"),
        (HEAD[:-1] + ",raises\na,power,1,0.1,b\nb,power,1,0.1,\n", "'b' has no probability; write"),
        (HEAD[:-1] + ",loss\na,power,1,0.1,\nb,power,1,0.1,3\n", "line 2: loss is missing, and"),
        (HEAD[:-1] + ",cause,beta\na,power,1,0.1,x,0.1\nb,power,1,0.1,x,0.2\n", "beta is 0.2 here"),
        ((HEAD + "K\xfchler,power,1,0.1\n").encode("cp1252"), "line 2: b'\\xfc' is not UTF-8"),
        (b"PK\x03\x04\x00", "a spreadsheet's own file; save it as CSV"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(written, content: str | bytes, says: str) -> None:
    with pytest.raises(PartsError) as refused:
        read(written(content))
    assert any(one in str(refused.value) for one in says.split("|"))
    assert "\n" not in str(refused.value)


def test_a_circle_is_told_in_the_order_of_what_needs_what(written) -> None:
    rows = "a,power,1,0.1,b\nb,power,1,0.1,c\nc,power,1,0.1,a\n"
    with pytest.raises(PartsError, match=r"a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c"):
        read(written(HEAD[:-1] + ",needs\n" + rows))


def test_the_example_has_83_parts_and_money_for_five(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = CliRunner().invoke(wrench, ["triage", "--example"])
    Path("parts.csv").write_text(example.stdout, "utf-8")
    asked = ["triage", "parts.csv", "--budget", "1050 credits", "--horizon", "56d"]
    told = CliRunner().invoke(wrench, [*asked, "--json", "-o", "choice.svg"])
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout)
    assert len(facts["bought"]) == 5
    assert len(facts["bought"]) + len(facts["not_bought"]) == 83
    assert facts["cost"] <= 1050
    assert {one["class"] for one in facts["bought"]} == {"life support"}
    drawn = Path("choice.svg").read_text("utf-8")
    assert all(one["part"] in drawn for one in facts["bought"])
    assert "life support" in drawn
    shown = CliRunner().invoke(wrench, asked).stdout
    assert "1,045 credits of 1,050 credits buy 5 of 83 parts: the proven optimum" in shown
    assert "compressor main bearing needs it" in shown
    assert "The next improvement costs" in shown
    wrong = CliRunner().invoke(
        wrench, ["triage", "parts.csv", "--budget", "9 EUR", "--horizon", "1d"]
    )
    assert isinstance(wrong.exception, PartsError)
    assert "the budget is in EUR" in str(wrong.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="file descriptors")
def test_what_the_solver_prints_is_not_in_the_output() -> None:
    code = """
import os
from wrench.triage.choose import _quiet
with _quiet():
    os.write(1, b"solver's own")
os.write(1, b"ours")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=os.environ
    )
    assert done.stdout == b"ours"
