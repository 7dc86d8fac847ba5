"""`wrench hil`: hardware-in-the-loop tests. Each subcommand lives in the module of its name."""

from __future__ import annotations

import click

from wrench.cli.hil.campaign import campaign
from wrench.cli.hil.fuzz import fuzz
from wrench.cli.hil.soak import soak
from wrench.cli.hil.suites import full, smoke


@click.group()
def hil() -> None:
    """Test a board, and try to break it: the same tests on an emulated and on a real one; random
    faults, hostile bytes and hours of running against what must hold."""


hil.add_command(smoke)
hil.add_command(full)
hil.add_command(campaign)
hil.add_command(fuzz)
hil.add_command(soak)
