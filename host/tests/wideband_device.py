# Runs on the emulated chip, for test_wideband_on_chip.py: each kernel of a wideband sensor on the
# samples that SAMPLES holds. Prints what came out, as JSON.
# pyright: reportAttributeAccessIssue=false, reportUndefinedVariable=false
import array
import binascii
import json
import sys

import uctypes
from machine import mem32

given = globals()
sys.path.insert(0, "/lib")
package = given["PACKAGE"]
kernels = __import__(package + ".wideband_rp2").wideband_rp2
features_rp2 = __import__(package + ".features_rp2").features_rp2

samples = bytearray(binascii.unhexlify(given["SAMPLES"]))
said = {}

state = array.array("i", [0] * 19)
state[0] = 6 * 256
out = array.array("h", [0] * 192)
found = []
for first in (0, 256):
    kernels.decimate(samples, first, state, out)
    found += list(out)
said["decimate"] = found

work = array.array("i", [0] * 32)
work[0] = 2
for i, value in enumerate(given["COEFFICIENTS"]):
    work[1 + i] = value
found = []
for first in (0, 256):
    kernels.band(samples, first, 16, work)
    found += list(work)[16:32]
said["band"] = found
said["squares"] = [work[10] & 0xFFFF, work[10] >> 16 & 0xFFFF, work[11]]

record = array.array("h", given["RECORD"])
table = array.array("h", given["TABLE"])
sums = array.array("i", [0, 0])
found = []
for number in (0, 1, 12, 82, 142, 511):
    kernels.correlate(record, table, 2 * number, sums)
    found.append(list(sums))
said["correlate"] = found

one = array.array("i", [0] * 112)
other = array.array("i", [0] * 112)
for words in (one, other):
    words[1] = 3
    words[2] = 32000
    for axis in range(3):
        words[19 + 31 * axis] = 2 * axis
        words[19 + 31 * axis + 7] = 6
for block in range(8):
    features_rp2.statistics(samples, 32 * block, 32, one)
calls = array.array("I", [mem32[id(features_rp2.statistics) + 8] | 1, 0, 0, 0, 8])
calls[1] = uctypes.addressof(samples)
calls[3] = uctypes.addressof(other)
kernels.each_32(calls)
said["each_32"] = one == other and one[20] != 0
print(json.dumps(said))
