"""The process `wrench`, from its first import on; `python -m wrench` is the same."""

import os
import signal
import sys


def main() -> None:
    """Run the command; Ctrl-C ends it with a line and exit code 130 at any time, while it is still
    being imported too."""
    # In a background job of a shell it may be ignored, and then stays so.
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def begin() -> None:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        if heeded:
            signal.signal(signal.SIGINT, _leave)
        from wrench.cli import main as command  # noqa: PLC0415  (takes a part of a second)

        command(begin)
    except KeyboardInterrupt:
        sys.stderr.write("wrench: interrupted\n")
        sys.exit(130)
    finally:
        if heeded:
            # What Python has left to do at its end is nothing that an exception could help.
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave(_number: int, _frame: object) -> None:
    # While modules are imported there is nothing to tidy up, and an exception might be lost: in a
    # weak reference's callback, or as another one that a module makes of it.
    os.write(sys.stderr.fileno(), b"wrench: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
