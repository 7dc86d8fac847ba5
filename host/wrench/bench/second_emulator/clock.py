"""Device time, and how the core wakes from WFI and WFE."""

from __future__ import annotations

from rp2040py.clock.simulation_clock import SimulationClock
from rp2040py.cortex_m0_core import CortexM0Core

_LEVELS = 4  # of priority (ARMv6-M, B1.5.4)

_nanos_to_next_alarm = SimulationClock.nanos_to_next_alarm.__get__  # type: ignore[attr-defined]


class DeviceClock(SimulationClock):
    """rp2040py's clock, which lets a sleeping core go on when an interrupt is pending already.

    rp2040py wakes the core where an interrupt becomes pending and forgets those that were before
    the WFI. It asks for the time to the next alarm whenever the core is to sleep, so this is where
    the sleep can be refused.
    """

    core: CortexM0Core | None = None
    idle_ns = 0.0

    @property
    def nanos_to_next_alarm(self) -> float:
        """As rp2040py has it; 0 where the core has just been woken."""
        core = self.core
        if core is None or not core.waiting:
            return _nanos_to_next_alarm(self)
        if wakes(core):
            core.waiting = False
            core.interrupts_updated = True
            return 0.0
        left_ns = _nanos_to_next_alarm(self)
        self.idle_ns += left_ns
        return left_ns


def wakes(core: CortexM0Core) -> bool:
    """Whether an exception is pending that would be taken were PRIMASK clear (ARMv6-M, B1.5.19)."""
    if core.pending_nmi:
        return True
    pending = core.pending_interrupts & core.enabled_interrupts
    if not (pending or core.pending_systick or core.pending_pend_sv or core.pending_svcall):
        return False
    present = core.exception_priority(core.ipsr) if core.ipsr else _LEVELS
    return (
        (core.pending_systick and core.systick_priority < present)
        or (core.pending_pend_sv and core.pend_sv_priority < present)
        or (core.pending_svcall and core.sv_call_priority < present)
        or any(pending & core.interrupt_priorities[level] for level in range(present))
    )
