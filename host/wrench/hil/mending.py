"""Everything that a story may break, whole again."""

from __future__ import annotations

from wrench.hil.trial import NEVER_S, Trial

_RUNS_AGAIN_S = 5.0
_LOOKS_EVERY_S = 0.05


def mend(trial: Trial) -> None:
    """As it was: the machine whole, power on, cable in, the host there."""
    plant, machine = trial.plant, trial.machine
    plant.free()
    plant.set_wear(0.01)
    plant.set_load(0.6)
    plant.set_supply(trial.board.motor.supply_nominal_v)
    plant.set_temperatures(bearing_c=25.0)
    machine.press_estop(False)
    machine.press_button(False)
    machine.offset_current(0.0)
    machine.cut_tacho(False)
    machine.mend_thermistor("bearing")
    if trial.board.vibration.bus != "adc":
        machine.set_sensor_fault()
    machine.signal.saturate(False)
    machine.signal.add_noise(0.0)
    trial.known.estop_open_s = NEVER_S
    trial.known.broken.clear()
    trial.blinds(None)
    trial.tacho(good=True)
    if not trial.plugged:
        trial.plugged = True
        trial.bench.plug_usb(True)
    if trial.in_maintenance:
        trial.cut_power(0.0, at_write=False, off_s=0.1)


def reset(trial: Trial) -> str:
    """Reset the trip; what `Trial.command` says of it."""
    reason = trial.command(lambda link: link.command("reset_trip"))
    if reason == "done":
        trial.known.tripped_s = NEVER_S
        trial.known.owned = False
    return reason


def take_back_levels(trial: Trial) -> None:
    """The board file's levels and settings, where somebody may have set others: a level may be one
    at which the board never runs."""
    if trial.has_set and trial.command(lambda link: link.command("factory_reset")) == "done":
        trial.has_set = False


def run_again(trial: Trial, permille: int) -> None:
    """The operator looks what it is, resets, and runs the motor, as long as that takes; it may not
    come to it."""
    until_s = trial.now_s + _RUNS_AGAIN_S
    while trial.now_s < until_s and trial.rig.duty_at_pin <= 0.0:
        take_back_levels(trial)
        reason = trial.command(lambda link: link.run(permille))
        if reason == "done":
            trial.known.owned = True
        elif reason.startswith("tripped"):
            reset(trial)
        trial.pass_time(_LOOKS_EVERY_S)
