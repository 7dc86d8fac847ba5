# Runs on both Pythons: what the governor, the probation and the speed loop say after each of a list
# of events. An event is a method's name and its arguments.


class Constants:
    """A board: an object with these constants."""

    def __init__(self, constants):
        for name in constants:
            setattr(self, name, constants[name])


def happen(subject, events):
    """The answers to these events; for all but the last methods without a return, None."""
    return [getattr(subject, name)(*arguments) for name, *arguments in events]


def governor_trace(module, constants, events):
    """After each event: its answer, and everything that the governor shows."""
    subject = module.Governor(Constants(constants))
    trace = []
    for event in events:
        answer = happen(subject, [event])[0]
        trace.append(
            [
                answer,
                subject.mode,
                subject.turning,
                subject.command_permille,
                subject.limit,
                subject.fault,
                subject.operator_permille,
                subject.ceiling_permille,
                subject.probation_permille,
                subject.supply_ceiling_permille,
                [subject.held_permille(limit) for limit in range(6, 14)],
            ]
        )
    return trace


def probation_trace(module, settings, events):
    """After each event: its answer, and everything that the probation shows."""
    caps, *others = settings
    subject = module.Probation(tuple(caps), *others)
    trace = []
    for event in events:
        answer = happen(subject, [event])[0]
        trace.append([answer, subject.step, subject.healthy_ms, subject.ceiling_permille])
    return trace


def loop_trace(module, settings, events):
    """After each event: its answer, duty and free speed."""
    subject = module.SpeedLoop(*settings)
    trace = []
    for event in events:
        answer = happen(subject, [event])[0]
        trace.append([answer, subject.duty_permille, subject.free_permille])
    return trace
