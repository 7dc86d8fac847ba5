"""What each pin of an RP2040 can do, and what a Raspberry Pi Pico has already wired.

Pure facts, from the RP2040 datasheet, section 1.4.3 "GPIO Functions" (table 2), section 4.5.2
"PWM Programmer's Model" (pins to slices), section 4.9 "ADC", and the Pico datasheet, section 2.1
"Pico pinout".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GPIOS = range(30)

# Pins that a controller board keeps for itself: they are not on its header.
ONBOARD: dict[str, dict[int, str]] = {
    "pico": {
        23: "the regulator's power-save input",
        24: "the USB supply sense",
        25: "the LED",
        29: "the measurement of VSYS",
    },
}

_SPI_ROLES = ("RX", "CSn", "SCK", "TX")


@dataclass(frozen=True)
class PinUse:
    """One key of a board file that takes one pin.

    `key` is the dotted key, `gpio` the number in GPn, `function` what the pin must be able to do
    ("GPIO", "PWM", "ADC", "SPI0 SCK", "I2C1 SDA", …), `pwm_hz` the frequency in Hz of a "PWM" pin,
    and `onboard` those of the controller's own pins that this key may take.
    """

    key: str
    gpio: int
    function: str
    pwm_hz: int | None = None
    onboard: tuple[int, ...] = ()


def functions(gpio: int) -> tuple[str, ...]:
    """The functions of GP`gpio` (0 to 29) as the datasheet names them, "GPIO" first.

    The generic names "PWM" and "ADC" are included beside "PWM7 A" and "ADC0".
    """
    channel = "AB"[gpio % 2]
    named = [
        "GPIO",
        "PWM",
        f"PWM{pwm_slice(gpio)} {channel}",
        f"SPI{gpio // 8 % 2} {_SPI_ROLES[gpio % 4]}",
        f"I2C{gpio // 2 % 2} {('SDA', 'SCL')[gpio % 2]}",
    ]
    if gpio >= 26:
        named += ["ADC", f"ADC{gpio - 26}"]
    return tuple(named)


def pwm_slice(gpio: int) -> int:
    """The PWM slice, 0 to 7, that drives GP`gpio`; both its channels share one frequency."""
    return gpio // 2 % 8


def specific_function(use: PinUse) -> str:
    """The function of a pin in use with its instance: "PWM7 A" for "PWM" on GP14."""
    if use.function in ("PWM", "ADC"):
        return next(f for f in functions(use.gpio) if f.startswith(use.function) and f[3:])
    return use.function


def conflicts(uses: Sequence[PinUse], controller: str = "pico") -> list[tuple[str, str]]:
    """Every reason why these pins cannot be wired together, as (key, sentence) pairs.

    Found are: one pin used twice, a pin that lacks the function asked of it, a pin that the
    controller board keeps for itself, and PWM pins that share a slice but not its frequency, or
    that share slice and channel.
    """
    found: list[tuple[str, str]] = []
    taken = {use.gpio for use in uses}
    for gpio in sorted(taken):
        keys = [use.key for use in uses if use.gpio == gpio]
        if len(keys) > 1:
            listed = f"{', '.join(keys[:-1])} and {keys[-1]}"
            both, spare = ("both", "one") if len(keys) == 2 else ("all", "all but one")
            text = f"{listed} {both} use GP{gpio}; give {spare} of them another pin"
            found.append((keys[-1], text))
    onboard = ONBOARD[controller]
    for use in uses:
        if use.gpio in onboard and use.gpio not in use.onboard:
            reason = f"GP{use.gpio} is {onboard[use.gpio]} on a {controller}"
        elif use.function not in functions(use.gpio):
            reason = f"GP{use.gpio} cannot be {use.function}"
        else:
            continue
        able = [g for g in GPIOS if use.function in functions(g) and g not in onboard]
        found.append((use.key, f"{use.key}: {reason}; use {_one_of(able, taken)}"))
    found += _pwm_conflicts([use for use in uses if use.function == "PWM"])
    return found


def _pwm_conflicts(uses: Sequence[PinUse]) -> Iterable[tuple[str, str]]:
    for i, second in enumerate(uses):
        for first in uses[:i]:
            same_slice = pwm_slice(first.gpio) == pwm_slice(second.gpio)
            if not same_slice or first.gpio == second.gpio:
                continue
            both = f"{first.key} (GP{first.gpio}) and {second.key} (GP{second.gpio})"
            move = "move one of them to a pin of another slice"
            if first.gpio % 2 == second.gpio % 2:
                output = specific_function(first)
                yield second.key, f"{both} are the same PWM output, {output}; {move}"
            elif first.pwm_hz != second.pwm_hz:
                yield (
                    second.key,
                    f"{both} share PWM slice {pwm_slice(first.gpio)} but ask for {first.pwm_hz} Hz "
                    f"and {second.pwm_hz} Hz; {move} or use one frequency",
                )


def _one_of(able: Sequence[int], taken: set[int]) -> str:
    free = [gpio for gpio in able if gpio not in taken]
    names = [f"GP{gpio}" for gpio in free or able]
    if not free:
        return f"one of {', '.join(names)} (all in use now)"
    if len(names) > 6:
        return "a free pin of the header, such as " + ", ".join(names[:3])
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
