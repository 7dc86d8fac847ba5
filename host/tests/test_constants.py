"""The firmware's constants, put in where they are used: the same program, with fewer names."""

from __future__ import annotations

import ast
import builtins
import dis
import itertools
import os
import subprocess
import symtable
import sys
import traceback
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from micropython_vm import FIRMWARE

from wrench.constants import inlined
from wrench.deploy import compile_module
from wrench.errors import FlashError

SOURCES = {
    path.relative_to(FIRMWARE).as_posix(): path.read_bytes()
    for path in FIRMWARE.rglob("*.py")
    if "typings" not in path.parts and path.name != "wire.py"
}
INLINED = inlined(SOURCES)
HERE = Path(__file__).parent


def after(**texts: str) -> dict[str, str]:
    """Modules after it, by their names; `a__b` is the module b of the package a."""
    paths = {f"{name.replace('__', '/', 1)}.py": text for name, text in texts.items()}
    done = inlined({path: dedent(text).encode() for path, text in paths.items()})
    return {name: done[path].decode() for name, path in zip(texts, paths, strict=True)}


MODES = (
    "from micropython import const\nIDLE = const(2)\nSTARTING = const(3)\n\ndef f():\n    pass\n"
)
NUMBERS = "RPM = 0\nCURRENT = 1\nNAMES = ('a', 'b')\n"


# ---- what is put in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("from .modes import IDLE\nf(IDLE)\n", "from . import modes as _\nf(2)\n"),
        ("from .modes import IDLE as I\nf([I])\n", "from . import modes as _\nf([2])\n"),
        ("from .modes import IDLE, f\nf(IDLE)\n", "from .modes import f\nf(2)\n"),
        (
            "from .modes import (\n    IDLE,\n    f as g,\n    STARTING,\n)  # all\ng(IDLE)\n",
            "from .modes import f as g\n\n\n\n  # all\ng(2)\n",
        ),
        ("from . import modes\nf(modes.IDLE+1)\n", "from . import modes\nf(2+1)\n"),
        ("from . import modes\nf(modes.IDLE.y)\n", "from . import modes\nf((2).y)\n"),
        ("from . import modes\nf(modes\n  .IDLE)\ng\n", "from . import modes\nf(2\n)\ng\n"),
        ("from . import numbers as n\ny[n.RPM]\n", "from . import numbers as n\ny[0]\n"),
        ("from . import numbers\nf(numbers.NAMES)\n", None),
        ("from . import user\nf(user.n.CURRENT)\n", "from . import user\nf(1)\n"),
        ("from .user import n\nf(n.CURRENT)\n", "from .user import n\nf(1)\n"),
        ("from .user import CURRENT\nf(CURRENT)\n", "from . import user as _\nf(1)\n"),
    ],
)
def test_another_module_s_constant(before: str, expected: str | None) -> None:
    user = "from . import numbers as n\nfrom .numbers import CURRENT\nprint(CURRENT)\n"
    done = after(modes=MODES, numbers=NUMBERS, user=user, it=before)
    assert done["it"] == (expected or before)


def test_a_constant_made_of_others() -> None:
    done = after(
        a="BITS = 3\n",
        b="""\
        from micropython import const
        from . import a
        from .a import BITS
        _ALL = const((1 << BITS) - 1)
        COUNT = const(6 * _ALL % 100 // 2)
        BELOW = -COUNT
        print(_ALL, COUNT, ~BELOW | a.BITS, 1-BELOW)
        """,
    )
    assert done["b"] == "\n" * 6 + "print(7, 21, ~(-21) | 3, 1-(-21))\n"


def test_definitions_go_and_their_comments_stay() -> None:
    done = after(
        a="""\
        from micropython import const, native

        A = const(1)  # volts
        _B = const(
            2
        )
        TEXT = const("t")


        @native
        def f(x=A):
            return x + _B
        """
    )
    assert done["a"] == (
        "from micropython import const, native\n\n  # volts\n\n\n\n"
        'TEXT = const("t")\n\n\n@native\ndef f(x=1):\n    return x + 2\n'
    )
    assert "import" not in after(a="from micropython import const\nA = const(1)\n")["a"]


def test_what_hides_a_constant() -> None:
    text = """\
    from . import numbers as n
    from .numbers import RPM, CURRENT

    def parameter(RPM, *CURRENT, x=RPM):
        return RPM, CURRENT, n.RPM

    def keyword(n, **RPM):
        return n.RPM, RPM, CURRENT

    def bound():
        for RPM in x:
            pass
        with y as CURRENT:
            return lambda: (RPM, CURRENT)

    def inner():
        def n():
            return RPM
        return n.RPM

    def comprehension():
        return [RPM for RPM in range(RPM)], {CURRENT for x in range(CURRENT)}

    def walrus():
        return [(CURRENT := x) for x in y], CURRENT, RPM

    class Thing:
        CURRENT = 5
        size = RPM
        def method(self, size=size):
            self.RPM = f(RPM=CURRENT, n=RPM)

    @asm_thumb
    def assembler():
        label(RPM)
        mov(r0, CURRENT)
        b(RPM)

    g = lambda RPM=RPM: RPM + CURRENT
    """
    numbers = "RPM = 7\nCURRENT = 9\nX = 3\n"
    # `self.RPM = ...` may be the module's: what has that name stays. So under another name first.
    done = after(numbers=numbers, it=text.replace("self.RPM", "self.rpm"))
    functions = {
        node.name: ast.unparse(node)
        for node in ast.parse(done["it"]).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert "def parameter(RPM, *CURRENT, x=7)" in functions["parameter"]
    assert "return (RPM, CURRENT, 7)" in functions["parameter"]
    assert "return (n.RPM, RPM, 9)" in functions["keyword"]
    assert "lambda: (RPM, CURRENT)" in functions["bound"]
    assert "return 7\n" in functions["inner"]
    assert "return n.RPM" in functions["inner"]
    assert "[RPM for RPM in range(7)]" in functions["comprehension"]
    assert "{9 for x in range(9)}" in functions["comprehension"]
    assert "return ([(CURRENT := x) for x in y], CURRENT, 7)" in functions["walrus"]
    assert "size = 7" in functions["Thing"]
    assert "f(RPM=9, n=7)" in functions["Thing"]
    assert "label(RPM)" in functions["assembler"]
    assert "mov(r0, 9)" in functions["assembler"]
    assert "b(RPM)" in functions["assembler"]
    assert done["it"].endswith("g = lambda RPM=7: RPM + 9\n")
    assert after(numbers=numbers, it=dedent(text))["numbers"].startswith("RPM = 7\n\n")


def test_what_is_not_certain_stays() -> None:
    done = after(
        a="""\
        TWICE = 1
        TWICE = 2
        COUNTED = 0
        COUNTED += 1
        KEPT = 5
        TEXT = 6
        LATE = 7
        ONE = 1; OTHER = 2
        FLAG = True
        __HIDDEN = 4
        if FLAG:
            SOME = 8
        CHANGED = 1
        SET = 1

        def change():
            global CHANGED
            CHANGED = 2

        def text():
            return f"{TEXT}", TWICE, COUNTED, FLAG, SOME, CHANGED, OTHER, __HIDDEN

        class C:
            KEPT = KEPT
        """,
        b="""\
        from . import a
        a.SET = 4

        def late():
            from .a import LATE
            return LATE, a.SET
        """,
    )
    definitions = dict(
        itertools.chain.from_iterable(
            [(ast.unparse(target), ast.unparse(node.value)) for target in node.targets]
            for node in ast.parse(done["a"]).body
            if isinstance(node, ast.Assign)
        )
    )
    assert definitions == {
        "TWICE": "2",
        "COUNTED": "0",
        "KEPT": "5",
        "TEXT": "6",
        "LATE": "7",
        "ONE": "1",
        "OTHER": "2",
        "FLAG": "True",
        "__HIDDEN": "4",
        "CHANGED": "1",
        "SET": "1",
    }
    assert "TWICE, COUNTED, FLAG, SOME, CHANGED, 2, __HIDDEN" in done["a"]
    assert "return LATE, a.SET" in done["b"]


def test_an_object_that_may_be_the_module_keeps_the_name() -> None:
    done = after(a="A = 1\nB = 2\n", b="from . import a\n\ndef f(module):\n    return module.A\n")
    assert done["a"] == "A = 1\n\n"


def test_an_object_that_may_be_the_module_may_change_it() -> None:
    texts = {
        "a": "A = 1\n",
        "b": "from .a import A\n\ndef f(module):\n    module.A = 2\n    return A\n",
    }
    assert after(**texts) == texts


def test_an_import_within_a_function_stays() -> None:
    late = "def f():\n    from .a import A\n    return A\n"
    done = after(a="A = 1\n", b=f"from .a import A\nprint(A)\n{late}")
    assert done == {"a": "A = 1\n", "b": f"from . import a as _\nprint(1)\n{late}"}


def test_everything_stays_where_a_star_brings_names() -> None:
    done = after(a="A = 1\nB = 2\n", b="from .a import *\nC = 3\nprint(A, C)\n")
    assert done == {"a": "A = 1\nB = 2\n", "b": "from .a import *\nC = 3\nprint(A, C)\n"}


def test_a_module_with_nothing_left_in_it_is_not_imported() -> None:
    done = after(
        limits='"""Pure numbers."""\nCAP = 850\n',
        middle="from .limits import CAP\nHALF = CAP // 2\n",
        user="from . import limits\nfrom .middle import HALF\nprint(limits.CAP, HALF)\n",
        drivers____init__="",
        drivers__chip="from ..limits import CAP\nprint(CAP)\n",
    )
    assert done["user"] == "\n\nprint(850, 425)\n"
    assert done["middle"] == "\n\n"
    assert done["drivers__chip"] == "\nprint(850)\n"


def test_a_module_that_does_something_is_imported_in_its_turn() -> None:
    done = after(
        loud="print('loud')\nA = 1\n",
        drivers____init__="B = 2\nprint('drivers')\n",
        drivers__chip="C = 3\nprint('chip')\n",
        user="from .loud import A\nfrom .drivers import B\nfrom .drivers.chip import C\n"
        "def _():\n    return A, B, C\n",
    )
    assert done["user"] == (
        "from . import loud as __\nfrom . import drivers as __\nfrom .drivers import chip as __\n"
        "def _():\n    return 1, 2, 3\n"
    )


def test_a_module_that_cannot_be_read_leaves_all_to_the_compiler() -> None:
    for broken in ("def f(:\n", "\0", "x = (\n"):
        texts = {"a": "A = 1\n", "b": "from .a import A\nprint(A)\n", "c": broken}
        assert after(**texts) == texts


@given(
    st.recursive(
        st.integers(-(1 << 31), 1 << 32).map(str) | st.sampled_from(["X", "_Y", "n.RPM"]),
        lambda part: (
            st.tuples(part, st.sampled_from("+-*&|^"), part).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            )
            | part.map(lambda text: f"-{text}")
        ),
    )
)
def test_an_expression_has_the_value_that_python_gives_it(expression: str) -> None:
    text = f"X = 12\nfrom . import n\n_Y = -5\nRESULT = {expression}\nprint(RESULT * -RESULT)\n"
    done = after(n="RPM = -7\n", it=text)["it"]
    printed = done.strip()
    assert printed.startswith("print(")
    names = {"X": 12, "_Y": -5, "n": types.SimpleNamespace(RPM=-7)}
    result = eval(expression, names)
    assert eval(printed.removeprefix("print")) == result * -result


# ---- the firmware --------------------------------------------------------------------------------


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def compiled(texts: Mapping[str, bytes], path: str) -> list[types.CodeType]:
    return list(codes(compile(texts[path], path, "exec")))


def test_most_constants_are_gone() -> None:
    def defined(texts: Mapping[str, bytes]) -> int:
        return sum(text.count(b"= const(") for text in texts.values())

    assert defined(SOURCES) > 500
    assert defined(INLINED) < 20


@pytest.mark.parametrize("path", SOURCES)
def test_every_line_keeps_its_number(path: str) -> None:
    before, then = SOURCES[path], INLINED[path]
    assert then.count(b"\n") == before.count(b"\n")
    places = [
        [(code.co_qualname, code.co_firstlineno) for code in compiled(texts, path)]
        for texts in (SOURCES, INLINED)
    ]
    assert places[0] == places[1]
    # And each attribute and each call within, but for the constants themselves.
    marks = []
    for texts in (SOURCES, INLINED):
        tree = ast.parse(texts[path])
        marks.append(
            [
                (node.lineno, node.name if isinstance(node, ast.FunctionDef) else type(node))
                for node in ast.walk(tree)
                if isinstance(node, ast.stmt) and not isinstance(node, ast.Assign | ast.ImportFrom)
            ]
        )
    assert marks[0] == marks[1]


def test_an_exception_names_its_line() -> None:
    text = """\
    from .modes import (
        IDLE,
        STARTING,
    )

    def f(x):
        y = (
            IDLE
            + STARTING
        )
        return x[y]
    """
    done = after(modes=MODES, it=text)["it"]
    names: dict[str, Any] = {"__package__": "p", "__name__": "p.it"}
    package, modes = types.ModuleType("p"), types.ModuleType("p.modes")
    vars(package)["modes"] = modes
    sys.modules |= {"p": package, "p.modes": modes}
    try:
        exec(compile(done, "it.py", "exec"), names)
    finally:
        del sys.modules["p"], sys.modules["p.modes"]
    with pytest.raises(IndexError) as error:
        names["f"]([])
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == ("it.py", 11)


def global_names(text: bytes, path: str) -> tuple[set[str], set[str]]:
    """What a module's scopes load from its globals, and what it binds there."""
    top = symtable.symtable(text.decode(), path, "exec")
    loaded: set[str] = set()
    tables = [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or table is top):
                loaded.add(symbol.get_name())
    return loaded, {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


@pytest.mark.parametrize("path", SOURCES)
def test_no_module_asks_for_a_name_that_is_gone(path: str) -> None:
    loaded, bound = global_names(INLINED[path], path)
    _, bound_before = global_names(SOURCES[path], path)
    assert not loaded & (bound_before - bound)
    # CPython's compiler agrees.
    asked = {
        instruction.argval
        for code in compiled(INLINED, path)
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    assert not asked & (bound_before - bound) - set(dir(builtins))


@pytest.mark.parametrize("path", SOURCES)
def test_what_a_module_imports_is_there(path: str) -> None:
    modules: dict[str, str] = {}
    tree = ast.parse(INLINED[path])
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = [*path.split("/")[: -node.level], *(node.module or "").split(".")]
            home = "/".join(filter(None, folder))
            for alias in node.names:
                module = f"{home}/{alias.name}.py".strip("/")
                if module in INLINED:
                    modules[alias.asname or alias.name] = module
                else:
                    there = f"{home}.py" if f"{home}.py" in INLINED else f"{home}/__init__.py"
                    assert alias.name in global_names(INLINED[there], there)[1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            there = modules.get(node.value.id)
            # A parameter may have a module's name; it has no attributes in capitals.
            if there is not None and node.attr.isupper():
                assert node.attr in global_names(INLINED[there], there)[1]


def test_modules_are_imported_in_the_same_order() -> None:
    """But for `limits`, which has nothing left in it."""

    def order(texts: Mapping[str, bytes], path: str, begun: list[str]) -> list[str]:
        begun.append(path)
        for node in ast.parse(texts[path]).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = [*path.split("/")[: -node.level], *(node.module or "").split(".")]
                home = "/".join(filter(None, folder))
                for name in (home, *(f"{home}/{alias.name}" for alias in node.names)):
                    module = f"{name.strip('/')}.py"
                    if module in texts and module not in begun:
                        order(texts, module, begun)
        return begun

    before = order(SOURCES, "app.py", [])
    assert [path for path in before if path != "limits.py"] == order(INLINED, "app.py", [])
    assert len(before) > 30


def test_it_compiles_to_less() -> None:
    before = after = count = 0
    for path, text in SOURCES.items():
        try:
            size = len(compile_module(path, text))
        except FlashError:  # viper, with constants of another module
            continue
        before += size
        after += len(compile_module(path, INLINED[path]))
        count += 1
    assert count > 30
    assert after < 0.94 * before


def test_what_is_put_in_compiles_to_the_chip_s_own_constants() -> None:
    """A module's private constants are put in by MicroPython's compiler too: the same code."""
    text = dedent("""\
        from micropython import const
        _A = const(%d)
        @micropython.viper
        def f(x: int) -> int:
            return (x & _A) - _A
        def g():
            return _A, [_A] * 3
        """)
    for number in (0, -1, 70_000, -0x40000000, 0x3FFFFFFF):
        source = (text % number).encode()
        done = inlined({"a.py": source})["a.py"]
        assert b"const" not in done
        # The definition itself is all that differs.
        stripped = source.replace(b"from micropython import const\n", b"\n")
        assert compile_module("a.py", done) == compile_module("a.py", stripped), number


@pytest.mark.parametrize("name", ["governor", "protection", "settings"])
def test_a_module_s_own_tests_hold(name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "inlined_firmware"]
    command += ["-p", "no:cacheprovider", f"{HERE}/test_{name}.py"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[1],
        env=os.environ | {"PYTHONPATH": str(HERE)},
    )
    assert done.returncode == 0, done.stdout
