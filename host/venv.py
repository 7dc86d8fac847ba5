"""Makes the virtual environment that the Makefile works in: `python3 host/venv.py .venv`.

Runs under the system's own Python, whatever its version, so it needs nothing and says in one
sentence what is missing.
"""

import os
import subprocess
import sys

OLDEST = (3, 11)


def give_up(sentence):
    """End with one line on standard error."""
    sys.exit("wrench: " + sentence)


def make_environment(folder):
    """Create the environment with venv, or with virtualenv where Debian has left ensurepip out."""
    for module in ("venv", "virtualenv"):
        command = [sys.executable, "-m", module, folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            return
    version = "%d.%d" % sys.version_info[:2]
    give_up(
        "Python %s cannot make a virtual environment; install `python3-venv` "
        "(`sudo apt-get install python3-venv`) and run make again" % version
    )


def main():
    """Create, then install this project with everything for development into it."""
    if sys.version_info < OLDEST:
        give_up(
            "Python %d.%d or newer is needed; name one with `make PYTHON=python3.11 …`" % OLDEST
        )
    folder = sys.argv[1]
    python = os.path.join(folder, "bin", "python")
    if (
        not os.path.exists(python)
        or subprocess.run([python, "-c", "import pip"], stderr=subprocess.DEVNULL).returncode
    ):
        print("making the virtual environment in " + folder, flush=True)
        make_environment(folder)
    print("installing the Python packages (about 200 MB, a minute or two)", flush=True)
    bar = "on" if sys.stderr.isatty() else "off"
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        bar,
        "-q",
    ]
    done = subprocess.run([*command, "-e", ".[dev]"])
    if done.returncode:
        give_up("the Python packages could not be installed; check the network and run make again")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nwrench: interrupted; run make again to go on")
