"""One story on both emulators of the chip, and what each of them says: the table of figures in
docs/second-opinion.md.

Times are device time, but for the last row. `python host/benchmarks/second_opinion.py [EMULATOR]`.
"""

from __future__ import annotations

import resource
import sys
from statistics import fmean

from wrench.bench import EMULATORS
from wrench.bench.emulator import StepSeen
from wrench.hil.content import BOARD, content_of
from wrench.hil.virtual_rig import VirtualRig

PHASES_MS = (0.3, 1.7, 2.9, 4.6)
SOUGHT = 300


def measured(emulator: str) -> dict[str, str]:
    """The figures of one emulator, by what they are."""
    figures: dict[str, str] = {}
    functions: list[tuple[int, float]] = [(0, 0.0)]
    rig = VirtualRig(BOARD, content_of(BOARD), emulator=emulator)

    def watch(seen: StepSeen) -> None:
        if seen.serial_functions != functions[-1][0]:
            functions.append((seen.serial_functions, seen.now_ns / 1e9))

    rig.bench.on_step.append(watch)
    greeting = rig.link.hello()
    shown = [f"{count} at {at_s:.3f} s" for count, at_s in functions[1:]]
    figures["serial functions shown"] = ", ".join(shown)
    figures["greeting, by the board's clock"] = f"{greeting.time_us / 1e6:.4f} s"
    rig.ready()
    assert rig.bench.seen
    assert rig.status
    figures["ready, by the board's clock"] = f"{rig.status.time_us / 1e6:.4f} s"
    flash, sensor = rig.bench.seen.flash, rig.bench.seen.devices[0]
    figures["flash until then"] = (
        f"{flash['sector_erases']} sectors erased, {flash['page_programs']} pages programmed"
    )
    figures["samples the sensor had no room for until then"] = f"{sensor['overruns']:.0f}"
    figures["core asleep while idle"] = f"{100 * asleep(rig, 0.5):.1f} %"
    longest_us = rig.status["control_interval_us"]
    figures["longest control interval of a second, idle"] = f"{longest_us} µs (of 5,000)"

    rig.run(SOUGHT)
    figures["core asleep while the motor turns"] = f"{100 * asleep(rig, 0.5):.1f} %"
    longest_us = rig.status["control_interval_us"]
    figures["longest control interval of a second, running"] = f"{longest_us} µs"
    pin = rig.bench.seen.pins[BOARD.motor.pwm_pin]
    rises_ns = pin.edges_ns[pin.level : 62 : 2]
    period_ns = (rises_ns[-1] - rises_ns[0]) / (len(rises_ns) - 1)
    figures["PWM"] = f"{period_ns / 1e3:.3f} µs, duty {100 * rig.duty_at_pin:.2f} %"
    figures["true speed of the shaft"] = f"{rig.shaft_speed_rpm:.0f} 1/min"
    lost = rig.bench.seen.devices[0]["overruns"] - sensor["overruns"]
    figures["samples lost since it was ready"] = f"{lost:.0f}"

    begin_s = rig.bench.now_s
    rig.link.owns_run = False
    figures["link lost: off after"] = f"{1e3 * rig.off_after(begin_s, 1.0):.1f} ms"
    again(rig)
    latencies_ms: list[float] = []
    for after_ms in PHASES_MS:
        rig.machine.press_estop(after_ns=after_ms * 1e6)
        begin_s = rig.bench.now_s + after_ms / 1e3
        latencies_ms.append(1e3 * rig.off_after(begin_s, 0.02))
        rig.machine.press_estop(False)
        again(rig)
    figures["e-stop at four phases of the tick: off after"] = (
        ", ".join(f"{latency:.3f}" for latency in latencies_ms)
        + f" ms (mean {fmean(latencies_ms):.3f})"
    )
    rig.machine.set_sensor_fault(absent=True)
    took_ms = 1e3 * rig.off_after(rig.bench.now_s, 0.2)
    figures["sensor's plug pulled: off after"] = f"{took_ms:.1f} ms"
    device_s = rig.bench.now_s
    before_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    rig.bench.close()
    spent_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before_s
    figures["CPU time of the emulator per second of device time"] = f"{spent_s / device_s:.2f} s"
    return figures


def asleep(rig: VirtualRig, for_s: float) -> float:
    """The part of that time in which the core slept."""
    assert rig.bench.seen
    begin = rig.bench.seen
    rig.pass_time(for_s)
    end = rig.bench.seen
    return (end.idle_ns - begin.idle_ns) / (end.now_ns - begin.now_ns)


def again(rig: VirtualRig) -> None:
    """Reset the trip and start anew."""
    rig.link.owns_run = True
    rig.pass_time(1.1)
    rig.reset()
    rig.link.run(SOUGHT)
    assert rig.wait_for(lambda: rig.duty_at_pin > 0.05, 1.0)


def main() -> None:
    """Print the table."""
    chosen = sys.argv[1:] or list(EMULATORS)
    columns = [measured(emulator) for emulator in chosen]
    print("| |", " | ".join(chosen), "|")
    print("|---" * (1 + len(chosen)) + "|")
    for name in columns[0]:
        print("|", " | ".join([name, *(column[name] for column in columns)]), "|")


if __name__ == "__main__":
    main()
