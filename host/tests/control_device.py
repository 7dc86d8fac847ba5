# Runs on MicroPython: governor.py, probation.py and speed_loop.py; one JSON request a line.
import gc
import json
import sys

import control_traces

sys.path.insert(0, sys.argv[1])


def module(name):
    return getattr(__import__(sys.argv[2] + "." + name), name)


def governor(cases):
    return [control_traces.governor_trace(module("governor"), *case) for case in cases]


def probation(cases):
    return [control_traces.probation_trace(module("probation"), *case) for case in cases]


def speed_loop(cases):
    return [control_traces.loop_trace(module("speed_loop"), *case) for case in cases]


def allocated(constants, settings, ticks):
    """Bytes that so many ticks of governor, speed loop and probation allocate."""
    governor = module("governor").Governor(control_traces.Constants(constants))
    loop = module("speed_loop").SpeedLoop(*settings)
    probation = module("probation").Probation((), 3600, 700)
    governor.self_test_begins()
    governor.self_test_passed()
    governor.run(1000)
    excesses = (None, 0, 30, -5, None, 700, None)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    n = 0
    while n < ticks:
        command = governor.tick(20)
        loop.tick(command, command * 3 + n % 50, n - n % 3, 20)
        loop.at_supply(11000 + n)
        governor.restrain(6 + n % 8, excesses[n % 7])
        governor.hold_supply(1000 - n % 400)
        probation.healthy(20, command, 1000, False)
        n += 1
    after = gc.mem_alloc()
    gc.enable()
    return after - before


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)))
