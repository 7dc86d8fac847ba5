"""`wrench triage`: which parts to buy first."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from wrench.cli.options import JSON, Duration

# What computes and draws takes a second to import; `wrench triage --help` goes without.
# ruff: noqa: PLC0415


class Budget(click.ParamType[tuple[Decimal, str]]):
    """An amount of money above 0, "1050" or "1050 credits"; converts to it and the currency."""

    name = "amount"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Decimal, str]:
        """Fails where it is none."""
        from wrench.triage.cells import number

        if isinstance(value, tuple):
            return value
        try:
            amount, currency, _ = number(str(value).strip(), None)
        except ValueError as error:
            self.fail(str(error))
        if amount <= 0:
            self.fail(f"{value!r} buys nothing; give an amount above 0")
        if amount > Decimal(10) ** 15:
            self.fail(f"{value!r} is beyond all bounds; give less than 1e15")
        return amount, currency


class Order(click.ParamType[tuple[str, ...]]):
    """Classes, the first first, "life support,power"."""

    name = "classes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Fails where one is empty or there twice."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(names) or len({name.lower() for name in names}) < len(names):
            self.fail(f"{value!r} is no order; name each class once, as life support,power,income")
        return names


class Picture(click.Path):
    """A file whose ending names a form of picture; converts to a Path."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Fails where the ending names none."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in (".png", ".svg", ".pdf"):
            self.fail(f"{path.name} names no form of picture; end it in .png, .svg or .pdf")
        return path


def _example(context: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        click.echo((files("wrench.triage") / "example.csv").read_text("utf-8"), nl=False)
        context.exit()


@click.command()
@click.argument("parts", metavar="PARTS.csv", type=click.Path(path_type=Path))
@click.option("--budget", type=Budget(), required=True, help="The money, as 1050 or '1050 EUR'.")
@click.option(
    "--horizon",
    "horizon_s",
    type=Duration(),
    help="How far to look, in operating time, as 56d or 1300h; needed for rates.",
)
@click.option(
    "--order",
    type=Order(),
    help="Criticality classes, the first first; default: life support,propulsion,power,income.",
)
@click.option(
    "-o", "--picture", type=Picture(), metavar="FILE", help="Draw it: .png, .svg or .pdf."
)
@click.option("--force", is_flag=True, help="Overwrite a picture that is there already.")
@click.option(
    "--example",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_example,
    help="Print a list of 83 parts to try, and end.",
)
@JSON
def triage(
    *,
    parts: Path,
    budget: tuple[Decimal, str],
    horizon_s: float | None,
    order: tuple[str, ...] | None,
    picture: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Choose the parts to buy first: proven to avoid the most loss, class by class.

    PARTS.csv has a line of column names (part, class, cost, probability or rate, and more) and a
    line for each part.
    """
    from wrench.cli.tables import terminal_columns
    from wrench.errors import PartsError
    from wrench.triage import figure, told
    from wrench.triage.parts import ORDER
    from wrench.triage.read import read
    from wrench.triage.result import triage as decide

    if picture is not None:
        figure.refuse(picture, force)
    listed = read(parts, None if horizon_s is None else horizon_s / 3600.0, order or ORDER)
    amount, currency = budget
    if currency and listed.currency and currency != listed.currency:
        raise PartsError(
            f"the budget is in {currency}, and the costs of {parts} are in {listed.currency}; give "
            f"the budget in {listed.currency}"
        )
    result = decide(listed, amount)
    currency = listed.currency or currency
    if picture is not None:
        figure.write(result, currency, picture)
    if as_json:
        click.echo(json.dumps(told.facts(result, currency), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(told.lines(result, currency, terminal_columns())))
        if picture is not None:
            click.echo(f"{picture}: the picture")
