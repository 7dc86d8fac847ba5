"""Puts the firmware's integer constants where they are used.

On the chip a module's constant costs a name of about 25 bytes and a place in a dictionary, a search
through all names when the module is imported, and at each use from another module a look-up. The
compiler spares all that only for a constant whose name begins with an underscore, within its own
module. So before the firmware is compiled, each use becomes the number, and definitions that
nothing needs any more are blanked, with the imports that brought them.

The text is changed in place and no line moves, so that a traceback names the right one. What is not
certain stays as it is: a name bound twice, or assigned through an object; a use in an f-string; an
import within a function; a definition that shares its line.
"""

from __future__ import annotations

import ast
import functools
import operator
import symtable
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

_Parts = tuple[str, ...]  # a module's place in the package; () is the package itself
_Edit = tuple[int, int, bytes]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[int], int]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}


def inlined(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The modules of one package, by their path in it, with integer constants as literals.

    Relative imports tell which module a name comes from. Where CPython cannot read a module, all
    stay as they are: the compiler says why.
    """
    try:
        package = _Package({path: _module(path, text) for path, text in sources.items()})
        replaced = {path: package.with_literals(path) for path in sources}
        rest = _Rest(package, {path: _module(path, text) for path, text in replaced.items()})
        return rest.without_definitions()
    except (SyntaxError, ValueError):  # before 3.12 a null byte is the latter
        return dict(sources)


class _Module:
    """One module's tree, and what its global names stand for."""

    def __init__(self, path: str, text: bytes) -> None:
        names = path.removesuffix(".py").split("/")
        self.is_package = names[-1] == "__init__"
        self.parts: _Parts = tuple(names[:-1] if self.is_package else names)
        self.path = path
        self.text = text
        self.tree = ast.parse(text, path)
        self.definitions: dict[str, ast.Assign] = {}
        self.imports: dict[str, tuple[ast.ImportFrom, str]] = {}
        self.nodes = list(ast.walk(self.tree))
        self.lines = _Lines(text)
        self.bound = bound = Counter(_bindings(self.tree))
        for node in self.nodes:
            if isinstance(node, ast.Global):
                bound.update(node.names * 2)
        for statement in self.tree.body if "*" not in bound else []:
            if isinstance(statement, ast.ImportFrom):
                for alias in statement.names:
                    name = alias.asname or alias.name
                    if bound[name] == 1:
                        self.imports[name] = (statement, alias.name)
            elif isinstance(statement, ast.Assign):
                target = statement.targets[0]
                if isinstance(target, ast.Name) and bound[target.id] == 1:
                    self.definitions[target.id] = statement

    @functools.cached_property
    def uses(self) -> list[ast.expr]:
        """Loads of global names; of a chain of attributes, the whole one."""
        return list(_global_uses(self.tree))

    @functools.cached_property
    def used(self) -> set[str]:
        """Global names that are loaded, as CPython's compiler sees it, or a few more."""
        used: set[str] = set()
        tables = [symtable.symtable(self.text.decode(), self.path, "exec")]
        while tables:
            table = tables.pop()
            tables += table.get_children()
            # A name of a class's body is the global one until the body has bound it.
            everywhere = table.get_type() != "function"
            used |= {
                symbol.get_name()
                for symbol in table.get_symbols()
                if symbol.is_referenced() and (symbol.is_global() or everywhere)
            }
        return used

    @functools.cached_property
    def callers_of_const(self) -> list[ast.stmt]:
        """The statements of the module in which `const` is named, once for each time."""
        return [
            statement
            for statement in self.tree.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and node.id == "const"
        ]

    def source_of(self, statement: ast.ImportFrom) -> _Parts | None:
        """The module of the package that a `from ... import` takes from, or None."""
        if not statement.level:
            return None
        base = self.parts if self.is_package else self.parts[:-1]
        if statement.level - 1 > len(base):
            return None
        base = base[: len(base) - (statement.level - 1)]
        return (*base, *(statement.module or "").split(".")) if statement.module else base

    def alone(self, statement: ast.stmt) -> bool:
        """Nothing but a comment shares its lines."""
        start, end = self.lines.span(statement)
        before = self.text[self.text.rfind(b"\n", 0, start) + 1 : start]
        after = self.text[end:].partition(b"\n")[0].strip()
        return not before.strip() and (not after or after.startswith(b"#"))

    @property
    def has_const(self) -> bool:
        """`const` is MicroPython's."""
        statement, name = self.imports.get("const", (None, ""))
        return statement is not None and statement.module == "micropython" and name == "const"


# A firmware is deployed again with one module changed, or none: reading them all takes 0.5 s.
_module = functools.lru_cache(maxsize=120)(_Module)


class _Package:
    """All modules, and what a name or an attribute in one of them comes to."""

    def __init__(self, modules: Mapping[str, _Module]) -> None:
        self.modules = modules
        self.by_parts = {module.parts: module for module in self.modules.values()}
        # By name alone: nobody knows what the object is whose attribute is assigned.
        self._assigned: set[str] = set()
        self._assigned_to_imports: set[str] = set()
        for module in self.modules.values():
            for node in module.nodes:
                if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                    self._assigned.add(node.attr)
                    root = _root(node)
                    if isinstance(root, ast.Name) and root.id in module.imports:
                        self._assigned_to_imports.add(node.attr)
        self._known: dict[tuple[_Parts, str], int | _Module | None] = {}

    def meaning(self, module: _Module, name: str) -> int | _Module | None:
        """What a global name stands for: a number, a module of the package, or neither."""
        key = (module.parts, name)
        if key not in self._known:
            self._known[key] = None  # while it is being found out: a definition in a circle
            found = self._find(module, name)
            assigned = self._assigned if isinstance(found, int) else self._assigned_to_imports
            # Two underscores: within a class it is another name.
            self._known[key] = None if name in assigned or name.startswith("__") else found
        return self._known[key]

    def _find(self, module: _Module, name: str) -> int | _Module | None:
        if name in module.definitions:
            statement = module.definitions[name]
            return self.value(module, statement.value) if len(statement.targets) == 1 else None
        if name not in module.imports:
            return None
        statement, original = module.imports[name]
        parts = module.source_of(statement)
        if parts is None:
            return None
        source = self.by_parts.get(parts)
        if source is None or original not in source.bound:
            return self.by_parts.get((*parts, original))
        return self.meaning(source, original)

    def value(self, module: _Module, node: ast.expr) -> int | None:
        """What an expression at the top of a module comes to, where that is an integer."""
        match node:
            case ast.Constant(value=int(number)) if not isinstance(number, bool):
                return number
            case ast.Name() | ast.Attribute():
                found = self.of(module, node)
                return found if isinstance(found, int) else None
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                number = self.value(module, operand)
                return None if number is None else _UNARY[type(op)](number)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                first, second = self.value(module, left), self.value(module, right)
                if first is None or second is None:
                    return None
                try:
                    return _BINARY[type(op)](first, second)
                except (ArithmeticError, ValueError):
                    return None
            case ast.Call(func=ast.Name(id="const"), args=[only], keywords=[]) if module.has_const:
                return self.value(module, only)
            case _:
                return None

    def of(self, module: _Module, node: ast.expr) -> int | _Module | None:
        """What a global name, or an attribute of one, stands for."""
        if isinstance(node, ast.Name):
            return self.meaning(module, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.of(module, node.value)
            if isinstance(owner, _Module):
                return self.meaning(owner, node.attr)
        return None

    def with_literals(self, path: str) -> bytes:
        """A module's text with numbers for the constants that it uses."""
        module = self.modules[path]
        edits: list[_Edit] = []
        for node in module.uses:
            use = node
            found = self.of(module, use)
            while found is None and isinstance(use, ast.Attribute):
                use = use.value
                found = self.of(module, use)
            if isinstance(found, int):
                start, end = module.lines.span(use)
                literal = str(found)
                if found < 0 or module.text[end : end + 1] == b".":
                    literal = f"({literal})"
                newlines = b"\n" * module.text.count(b"\n", start, end)
                edits.append((start, end, literal.encode() + newlines))
        return _edited(module.text, edits)


@dataclass
class _Left:
    """A module with literals in it, and what may go."""

    module: _Module
    imports: list[ast.ImportFrom]
    gone: set[ast.stmt] = field(default_factory=set)
    calls_const: bool = True


class _Rest:
    """The modules with literals in them, whose definitions and imports may go."""

    def __init__(self, package: _Package, modules: Mapping[str, _Module]) -> None:
        self._package = package
        self._left = {
            path: _Left(module, [n for n in module.nodes if isinstance(n, ast.ImportFrom)])
            for path, module in modules.items()
        }
        self._empty: set[_Parts] = set()
        # By name alone: nobody knows what the object is that has such an attribute.
        self._attributes = {
            node.attr
            for left in self._left.values()
            for node in left.module.nodes
            if isinstance(node, ast.Attribute)
        }
        self._imported: set[tuple[_Parts, str]] = set()
        while self._find_imported():
            pass

    def without_definitions(self) -> dict[str, bytes]:
        """The texts, without what nothing needs any more."""
        for left in self._left.values():
            left.gone |= {
                statement
                for name, statement in left.module.definitions.items()
                if self._is_literal(left, name) and left.module.alone(statement)
            }
            left.calls_const = not left.gone.issuperset(left.module.callers_of_const)
        while self._find_empty():
            pass
        return {path: self._text(left) for path, left in self._left.items()}

    def _is_needed(self, left: _Left, name: str) -> bool:
        """Something may look for a module's global name when it runs."""
        return (
            name in left.module.used
            or name in self._attributes
            or (left.module.parts, name) in self._imported
        )

    def _meaning(self, left: _Left, name: str) -> int | _Module | None:
        return self._package.meaning(self._package.modules[left.module.path], name)

    def _is_literal(self, left: _Left, name: str) -> bool:
        return isinstance(self._meaning(left, name), int) and not self._is_needed(left, name)

    def _find_imported(self) -> bool:
        """What imports still bring is needed where it comes from; true if there is more of it."""
        before = len(self._imported)
        for left in self._left.values():
            for statement in left.imports:
                going = self._going(left, statement)
                names = {alias.name for alias in statement.names if alias not in going}
                parts = left.module.source_of(statement)
                if parts is None:
                    self._attributes |= names  # of whatever package: by name alone
                    continue
                source = self._package.by_parts.get(parts)
                if "*" in names and source is not None:
                    names |= source.bound.keys()
                self._imported |= {(parts, name) for name in names}
        return len(self._imported) > before

    def _going(self, left: _Left, statement: ast.ImportFrom) -> list[ast.alias]:
        """What a `from ... import` need not bring any more."""
        if statement not in left.module.tree.body or not left.module.alone(statement):
            return []
        return [
            alias
            for alias in statement.names
            if self._need_not_come(left, alias.asname or alias.name)
        ]

    def _need_not_come(self, left: _Left, name: str) -> bool:
        if name not in left.module.imports:
            return False
        if name == "const" and left.module.has_const:
            return not left.calls_const
        if self._is_needed(left, name):
            return False
        found = self._meaning(left, name)
        if isinstance(found, _Module):
            return found.parts in self._empty and self._is_beside(left, found.parts)
        return isinstance(found, int)

    @staticmethod
    def _is_beside(left: _Left, parts: _Parts) -> bool:
        """The packages that lead to a module have been imported before this one."""
        return left.module.parts[: len(parts) - 1] == parts[:-1]

    def _find_empty(self) -> bool:
        """Modules that do nothing any more need not be imported; true if there is another one."""
        before = len(self._empty)
        for left in self._left.values():
            if all(self._does_nothing(left, statement) for statement in left.module.tree.body):
                self._empty.add(left.module.parts)
        return len(self._empty) > before

    def _does_nothing(self, left: _Left, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.ImportFrom):
            return self._import_text(left, statement) == ""
        if isinstance(statement, ast.Expr):
            return isinstance(statement.value, ast.Constant)
        return statement in left.gone or isinstance(statement, ast.Pass)

    def _import_text(self, left: _Left, statement: ast.ImportFrom) -> str | None:
        """What an import becomes; None where nothing changes."""
        going = self._going(left, statement)
        if not going:
            return None
        dots = "." * statement.level
        staying = [alias for alias in statement.names if alias not in going]
        if staying:
            names = ", ".join(map(ast.unparse, staying))
            return f"from {dots}{statement.module or ''} import {names}"
        parts = left.module.source_of(statement)
        if parts is None or statement.module is None:
            return ""  # MicroPython's own, or of the package that this module lies in
        if parts in self._empty and self._is_beside(left, parts):
            return ""
        # What the module does when it is imported has to be done now.
        folder, _, name = statement.module.rpartition(".")
        return f"from {dots}{folder} import {name} as {_free_name(left.module)}"

    def _text(self, left: _Left) -> bytes:
        module = left.module
        edits: list[_Edit] = []
        for statement in module.tree.body:
            text = "" if statement in left.gone else None
            if isinstance(statement, ast.ImportFrom):
                text = self._import_text(left, statement)
            if text is not None:
                start, end = module.lines.span(statement)
                newlines = b"\n" * module.text.count(b"\n", start, end)
                edits.append((start, end, text.encode() + newlines))
        return _edited(module.text, edits)


def _free_name(module: _Module) -> str:
    taken = {node.id for node in module.nodes if isinstance(node, ast.Name)} | module.bound.keys()
    name = "_"
    while name in taken:
        name += "_"
    return name


# ---- scopes --------------------------------------------------------------------------------------


def _root(node: ast.expr) -> ast.expr:
    """What the first dot of a chain of attributes stands behind."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def _children(node: ast.AST) -> list[ast.AST]:
    return list(ast.iter_child_nodes(node))


def _outside(node: ast.AST) -> list[ast.AST]:
    """The parts of something with a scope of its own that belong to the scope around it."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            # Annotations too, where CPython reads them; MicroPython does not.
            return [*node.decorator_list, *_children(node.args), *filter(None, [node.returns])]
        case ast.Lambda():
            return _children(node.args)
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return [node.generators[0].iter]
        case _:
            return []


def _inside(node: ast.AST) -> list[ast.AST]:
    """The other parts."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return list(node.body)
        case ast.Lambda():
            return [node.body]
        case _:
            outside = _outside(node)
            return [
                part
                for child in ast.iter_child_nodes(node)
                for part in (_children(child) if isinstance(child, ast.comprehension) else [child])
                if part not in outside
            ]


def _has_scope(node: ast.AST) -> bool:
    return isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef))


def _bindings(scope: ast.AST) -> list[str]:
    """Names that a scope binds, once for each time."""
    names: list[str] = []
    elsewhere: set[str] = set()
    if isinstance(scope, _FUNCTIONS):
        names += [node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)]
    todo = _children(scope) if isinstance(scope, ast.Module) else _inside(scope)
    while todo:
        node = todo.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.append(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.append(name)
            case ast.ClassDef(name=name):
                names.append(name)
            case ast.Import() | ast.ImportFrom():
                names += [alias.asname or alias.name.partition(".")[0] for alias in node.names]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                names.append(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                names.append(name)
            case ast.Global() | ast.Nonlocal():
                elsewhere.update(node.names)
            case ast.Call(func=ast.Name(id="label"), args=[ast.Name(id=name)]):
                names.append(name)  # the assembler's
            case _:
                pass
        if isinstance(node, _COMPREHENSIONS):
            # What `:=` binds in a comprehension belongs to the function around it.
            walrus = (part for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
            names += [part.target.id for part in walrus]
        todo += _outside(node) if _has_scope(node) else _children(node)
    return [name for name in names if name not in elsewhere]


def _global_uses(tree: ast.Module) -> Iterator[ast.expr]:
    """Loads of global names; of a chain of attributes, the whole one."""
    todo: list[tuple[ast.AST, frozenset[str], frozenset[str]]] = [(tree, frozenset(), frozenset())]
    while todo:
        # `hidden` are the names of functions around; a class's own hide nothing further inside.
        node, hidden, own = todo.pop()
        if isinstance(node, ast.JoinedStr):
            continue  # CPython 3.11 does not tell where in the text its parts are
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            root = _root(node)
            if isinstance(root, ast.Name):
                if root.id not in hidden | own:
                    yield node
                continue
        if not _has_scope(node):
            todo += [(child, hidden, own) for child in ast.iter_child_nodes(node)]
            continue
        todo += [(part, hidden, own) for part in _outside(node)]
        names = frozenset(_bindings(node))
        if isinstance(node, ast.ClassDef):
            todo += [(part, hidden, names) for part in _inside(node)]
        else:
            todo += [(part, hidden | names, frozenset()) for part in _inside(node)]


# ---- text ----------------------------------------------------------------------------------------


class _Lines:
    """Where a node lies in the text."""

    def __init__(self, text: bytes) -> None:
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First byte, and the byte after the last."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )


def _edited(text: bytes, edits: list[_Edit]) -> bytes:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
