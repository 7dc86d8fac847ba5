# Runs on both Pythons: what the governor and the protection say after each of a list of events.
# An event is a method's name and its arguments.


class Fields:
    """An object with these attributes."""

    def __init__(self, attributes):
        for name in attributes:
            setattr(self, name, attributes[name])


def governor_trace(module, settings, events):
    """After each event: its answer, and everything that the governor shows."""
    governor = module.Governor(*settings)
    trace = []
    for name, *arguments in events:
        answer = getattr(governor, name)(*arguments)
        trace.append(
            [
                answer,
                governor.mode,
                governor.turning,
                governor.command_permille,
                governor.limit,
                governor.fault,
                governor.operator_permille,
                governor.ceiling_permille,
                governor.vibration_permille,
                governor.duty(1500, 20) if governor.turning else 0,
            ]
        )
    return trace


def protection_trace(module, board, events):
    """The answer to each event; inputs are given as a dictionary."""
    protection = module.Protection(Fields(board))
    trace = []
    for name, *arguments in events:
        made = [Fields(a) if isinstance(a, dict) else a for a in arguments]
        trace.append(getattr(protection, name)(*made))
    return trace
