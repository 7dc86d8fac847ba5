"""The diagnosis of a machine's vibration: what is wrong, how sure that is, and by what evidence.

`wrench.diagnosis.diagnose` takes a window of samples; what reads files, prints and draws is around
it.
"""
