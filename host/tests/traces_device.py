# Runs on MicroPython: firmware/governor.py and protection.py, one JSON request a line.
import json
import sys

import firmware_traces

sys.path.insert(0, sys.argv[1])


def module(name):
    return getattr(__import__(sys.argv[2] + "." + name), name)


def governor(cases):
    return [firmware_traces.governor_trace(module("governor"), *case) for case in cases]


def protection(cases):
    return [firmware_traces.protection_trace(module("protection"), *case) for case in cases]


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, cases = json.loads(line)
    print(json.dumps(globals()[name](cases)))
