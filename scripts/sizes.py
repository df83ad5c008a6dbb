#!/usr/bin/env python3
"""Says how large functions and files are, and exits with 1 where one is larger than it may be.

    python scripts/sizes.py [FOLDER ...]    (default: synth)

A function's lines run from its `def` to its end, its docstring and functions within it included.
"""

from __future__ import annotations

import ast
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_MEDIAN, MAX_SHARE_OF_90, MAX_FUNCTION, MAX_FILE = 8, 25, 60, 350
"""Lines of the median function, bound that 90 % of functions stay under, lines of any function, lines of any file."""


def function_lines(path: Path) -> list[tuple[int, str]]:
    """Lines and place (file:line name) of each function of a file."""
    nodes = ast.walk(ast.parse(path.read_text(), str(path)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return [((f.end_lineno or f.lineno) - f.lineno + 1, f"{name}:{f.lineno} {f.name}") for f in functions]


def problems(functions: list[tuple[int, str]], files: list[tuple[int, Path]]) -> list[str]:
    """What is larger than it may be."""
    lines = sorted(count for count, _ in functions)
    median, ninetieth = statistics.median(lines), lines[min(len(lines) - 1, len(lines) * 9 // 10)]
    print(f"{len(lines)} functions: median {median:g} lines, 90 % have at most {ninetieth}, the longest {lines[-1]}")
    lengths = [count for count, _ in files]
    print(f"{len(files)} files: median {statistics.median(lengths):g} lines, the longest {max(lengths)}")
    broken = []
    if median > MAX_MEDIAN:
        broken.append(f"the median function has {median:g} lines: at most {MAX_MEDIAN}")
    if ninetieth >= MAX_SHARE_OF_90:
        broken.append(f"a tenth of the functions have {ninetieth} lines or more: 90 % stay under {MAX_SHARE_OF_90}")
    broken += [f"{place}: {count} lines, at most {MAX_FUNCTION}" for count, place in functions if count > MAX_FUNCTION]
    return broken + [f"{path}: {count} lines, at most {MAX_FILE}" for count, path in files if count > MAX_FILE]


def main(folders: list[str]) -> int:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    if not paths:
        print(f"{', '.join(folders)}: no Python files")
        return 1
    functions = [function for path in paths for function in function_lines(path)]
    broken = problems(functions, [(len(path.read_text().splitlines()), path.relative_to(ROOT)) for path in paths])
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["synth"]))
