# Runs on the RP2040 for test_protection_on_chip.py: what the passes of the control tick cost and
# allocate, and a digest of what they make of a random life. CONSTANTS, PACKAGE and FOLDER stand
# before this text.
# pyright: reportAttributeAccessIssue=false, reportUndefinedVariable=false
import gc
import json
import sys
import time

import protection_traces

given = globals()
sys.path.insert(0, given["FOLDER"])
q, conditions, protection, supplies = [
    getattr(__import__(given["PACKAGE"] + "." + name), name) for name in protection_traces.MODULES
]
board = protection_traces.Fields(given["CONSTANTS"])


def microseconds(call, *arguments):
    """Of one call, on average of 200."""
    begin = time.ticks_us()
    for _ in range(200):
        call(*arguments)
    return time.ticks_diff(time.ticks_us(), begin) / 200


def nothing(a, b, c, d):
    pass


def made():
    values = q.make_values()
    seen = conditions.Conditions(board, values)
    watch = protection.Protection(board, values)
    fed = supplies.Supplies(board, values)
    protection_traces.make_healthy(values, q)
    watch.forget()
    watch.window()
    return values, seen, watch, fed


def costs():
    """Microseconds of a call each, the empty call that is in all of them taken off."""
    values, seen, watch, fed = made()
    call = microseconds(nothing, values, values, values, 1)
    turning = protection.TURNING | protection.OWNED
    now = turning | 5 << 4
    found = {"rows": len(watch.table) // 16}
    watch.check(turning, 5)
    found["call"] = call
    found["evaluate"] = microseconds(protection.evaluate, values, watch.table, watch.out, now)
    found["check"] = microseconds(watch.check, turning, 5)
    observed = seen.observed
    observed[conditions.DUTY_PERMILLE] = 700
    observed[conditions.COMMAND_PERMILLE] = 700
    observed[conditions.INTERVAL_US] = 5000
    found["advance"] = microseconds(conditions.advance, observed, seen.state, values, 5)
    values[q.CURRENT_MA] = 12000
    found["advance, jammed"] = microseconds(conditions.advance, observed, seen.state, values, 5)
    found["supplies"] = microseconds(fed.update, 700, 700)
    protection_traces.make_healthy(values, q)
    for name in ("VELOCITY_UM_S", "CURRENT_MA", "BEARING_MDEGC", "PEAK_MG"):
        values[getattr(q, name)] = 1000000
    found["evaluate, four rows tripping"] = microseconds(
        protection.evaluate, values, watch.table, watch.out, now
    )
    for i in range(q.COUNT):
        values[i] = q.BROKEN
    found["evaluate, all broken"] = microseconds(
        protection.evaluate, values, watch.table, watch.out, now
    )
    return found


def allocated_bytes():
    """Of a hundred ticks with trips, alarms and windows among them."""
    values, seen, watch, fed = made()
    turning = protection.TURNING | protection.OWNED
    observed = seen.observed
    observed[conditions.DUTY_PERMILLE] = 700
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for i in range(100):
        observed[conditions.EDGES] = i // 5
        observed[conditions.SAMPLES] = 16 * i
        values[q.VELOCITY_UM_S] = 100 * i
        values[q.CURRENT_MA] = 60 * i
        values[q.SUPPLY_3_MV] = q.BROKEN if i & 16 else 14000
        seen.heartbeat()
        seen.update(5)
        watch.check(turning, 5)
        watch.excess_permille(protection.LIMIT_VIBRATION)
        if watch.alarms or watch.limiting:
            watch.window()
        if i % 4 == 0:
            fed.update(700, 700)
        if i % 50 == 0:
            seen.window(250, i & 1, 0, 100)
            watch.snapshot()
            watch.forget()
    after = gc.mem_alloc()
    gc.enable()
    return after - before


life = protection_traces.random_life(*protection_traces.LIFE)
trace = protection_traces.trace(q, conditions, protection, supplies, given["CONSTANTS"], life)
print(json.dumps([sys.platform, costs(), allocated_bytes(), protection_traces.digest(trace)]))
