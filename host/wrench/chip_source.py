"""What of a firmware module's source the chip needs."""

from __future__ import annotations

import ast

_TWIN = "_reference"


def without_twins(source: bytes) -> bytes:
    """The source without its `..._reference` functions: the readable twins of assembler kernels run
    on hosts alone, and cost the chip 10 kB. Every other line keeps its number.
    """
    lines = source.decode().split("\n")
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return source  # the compiler says it better
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.endswith(_TWIN):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            assert node.end_lineno is not None
            lines[first - 1 : node.end_lineno] = [""] * (node.end_lineno - first + 1)
    return "\n".join(lines).encode()
