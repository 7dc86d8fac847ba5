# Runs on the host's MicroPython: conditions, supplies and protection for test_protection.py, one
# JSON request a line.
import json
import sys

import protection_traces

sys.path.insert(0, sys.argv[1])
MODULES = [
    getattr(__import__(sys.argv[2] + "." + name), name) for name in protection_traces.MODULES
]


def trace(constants, seed, length):
    life = protection_traces.random_life(seed, length)
    return list(protection_traces.trace(*MODULES, constants, life))


while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)))
