"""The house's rules, read from its source: who imports whom, and what nobody may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sumesync

ROOT = Path(sumesync.__file__).resolve().parent
FLOOR = frozenset({"answers", "model", "errors"})
PORTS = FLOOR | {"ports"}
CORE = PORTS | {"core"}

# What each part may import of ours, beside itself. Only cli.wiring and cli build real adapters.
MAY: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "model": frozenset(),
    "answers": frozenset({"model"}),
    "ports": FLOOR,
    "core": FLOOR | {"ports"},
    "disk": CORE,
    "api": CORE,
    "host": CORE,
    "sandbox": FLOOR | {"core"},
    "apply": CORE,
    "watch": CORE,
    "render": CORE,
    "cli": CORE | {"apply", "watch", "render", "disk", "api", "sandbox", "host", "__init__"},
    "__main__": frozenset({"cli"}),
    "__init__": frozenset(),
}

# The pure part: no IO, no clock, no process, no network, no terminal.
IMPURE = frozenset(
    [
        "click",
        "urllib3",
        "watchdog",
        "rich",
        "filelock",
        "os",
        "io",
        "time",
        "pathlib",
        "shutil",
        "tempfile",
        "subprocess",
        "socket",
        "threading",
        "random",
        "secrets",
        "asyncio",
        "sys",
        "signal",
        "glob",
        "uuid",
        "requests",
        "http",
        "urllib3",
        "logging",
    ]
)
# Where outside packages may be imported, and nowhere else.
ONLY: dict[str, set[str]] = {
    "click": {"cli"},
    "urllib3": {"api"},
    "truststore": {"api"},
    "rich": {"render", "cli"},
    "filelock": {"disk"},
    "watchdog": {"disk"},
    "jsonschema": {"core"},
    "rfc8785": {"core"},
    "tomli_w": {"core", "cli"},
    "tree_sitter": {"core"},
    "PIL": {"sandbox", "disk"},
    "av": {"sandbox", "disk"},
    "subprocess": {"disk"},
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def modules() -> dict[str, ast.Module]:
    return {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def part_of(module: str) -> str:
    """``sumesync.core.plan`` -> ``core``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def imports(tree: ast.AST) -> tuple[tuple[str, str, int], ...]:
    """(module, name or "", line) of every import, wherever it stands."""
    return tuple(_imports(tree))


def _imports(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((node.module or "", alias.name, node.lineno) for alias in node.names)


def ours(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Imports of our own modules: (module, name, line); a module imported by name is that module."""
    for module, name, line in imports(tree):
        if module == "sumesync" or module.startswith("sumesync."):
            whole = f"{module}.{name}" if name else module
            yield (whole, "", line) if whole in modules() else (module, name, line)


def test_there_is_a_house_to_look_at() -> None:
    assert len(modules()) > 50
    assert {part_of(module) for module in modules()} <= set(MAY)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_one_way(module: str) -> None:
    part = part_of(module)
    wrong = [
        f"{module}:{line} imports {other}"
        for other, _, line in ours(modules()[module])
        if part_of(other) != part and part_of(other) not in MAY[part]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "module", [name for name in sorted(modules()) if part_of(name) in ("core", "answers", "model", "errors", "ports")]
)
def test_the_core_is_pure(module: str) -> None:
    allowed = {"pathlib"} if part_of(module) == "ports" else set()
    found = {name.split(".")[0] for name, _, _ in imports(modules()[module])}
    assert found & (IMPURE - allowed) == set()
    calls = {
        node.func.id
        for node in ast.walk(modules()[module])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & {"open", "print", "input", "exec", "eval", "__import__"} == set()


@pytest.mark.parametrize("package", sorted(ONLY))
def test_each_outside_package_has_one_home(package: str) -> None:
    users = {
        part_of(module)
        for module, tree in modules().items()
        for name, _, _ in imports(tree)
        if name.split(".")[0] == package
    }
    assert users <= ONLY[package]


@pytest.mark.parametrize("loop", ["apply", "watch"])
def test_the_loops_see_adapters_only_through_ports(loop: str) -> None:
    found = {part_of(other) for name, tree in modules().items() if part_of(name) == loop for other, _, _ in ours(tree)}
    assert found <= CORE | {loop}


@pytest.mark.parametrize("module", sorted(modules()))
def test_nobody_uses_a_private_name_of_another_module(module: str) -> None:
    tree = modules()[module]
    taken = [f"{other}.{name}" for other, name, _ in ours(tree) if name.startswith("_") and not name.startswith("__")]
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sumesync")
        for alias in node.names
        if f"{node.module}.{alias.name}" in modules()
    }
    used = [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
        if node.attr.startswith("_") and not node.attr.startswith("__")
    ]
    assert taken + used == []


def test_no_module_reaches_itself() -> None:
    """No cycle, not even among imports inside functions."""
    graph = {
        module: sorted({other for other, _, _ in ours(tree) if other != module}) for module, tree in modules().items()
    }
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for other in graph.get(module, []):
            visit(other)
        path.pop()
        done.add(module)

    for module in graph:
        visit(module)


@pytest.mark.parametrize("module", sorted(modules()))
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(modules()[module]) or not modules()[module].body


def test_no_module_is_too_long_to_read() -> None:
    lengths = {
        module: max((node.end_lineno or 0 for node in tree.body), default=0) for module, tree in modules().items()
    }
    assert {module: length for module, length in lengths.items() if length > 450} == {}


@pytest.mark.parametrize(
    "path", [path.relative_to(ROOT.parent).as_posix() for path in sorted((ROOT.parent / "tests").rglob("*.py"))]
)
def test_tests_use_no_mocks_and_do_not_sleep(path: str) -> None:
    tree = ast.parse((ROOT.parent / path).read_text(encoding="utf-8"))
    found = {f"{module}.{name}" if name else module for module, name in _imports_of_tests(tree)}
    assert not {name for name in found if "mock" in name.split(".")}
    calls = {_dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls & {"time.sleep", "sleep", "mock.Mock", "mock.MagicMock"} == set()


def _dotted(called: ast.expr) -> str:
    """``sleep`` and ``time.sleep``; no test hides what it calls deeper than that."""
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return f"{called.value.id}.{called.attr}"
    return called.id if isinstance(called, ast.Name) else ""


def _imports_of_tests(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
