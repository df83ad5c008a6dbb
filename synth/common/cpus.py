"""How many processors this process may use, which is fewer than the machine has under taskset and in containers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""How OpenMP's threads wait: the standard's variable, GNU's and LLVM's."""


def available_cpus() -> int:
    """Processors that this process may use: those of its affinity, at most its control group's quota rounded up.

    1 or more. Systems without either have the machine's number.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # a system without affinity
        allowed = os.cpu_count() or 1
    quota = cgroup_quota()
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def let_waiting_threads_sleep() -> None:
    """OpenMP's threads that wait for each other sleep instead of spinning; only before what uses OpenMP is loaded.

    Threads that spin take the processors from those that they wait for, where other programs are busy too: training
    becomes many times slower. Sets environment variables, unless the user has set one of them.
    """
    if not _WAITING.keys() & os.environ.keys():
        os.environ.update(_WAITING)


def cgroup_quota(groups: Path = _GROUPS, mount: Path = _MOUNT) -> float | None:
    """The least quota, in processors, of the control groups that this process is in; None for no limit.

    `groups`: the file that names them, of version 2 ("0::/a/b") or 1 ("4:cpu,cpuacct:/a/b"). `mount`: where they are.
    """
    try:
        lines = groups.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            quotas += (_quota_2(folder) for folder in _with_parents(mount, path))
        elif "cpu" in controllers.split(","):
            for top in {mount / "cpu", mount / controllers}:
                quotas += (_quota_1(folder) for folder in _with_parents(top, path))
    least = min(quotas, default=math.inf)
    return None if math.isinf(least) else least


def _with_parents(top: Path, path: str) -> Iterator[Path]:
    """The folder of a group and of those that it is in; a container may see its own at the top."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for count in range(len(parts), -1, -1):
        yield top.joinpath(*parts[:count])


def _quota_2(folder: Path) -> float:
    """The quota in a group of version 2; infinite for none."""
    quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
    return _ratio(quota, period)


def _quota_1(folder: Path) -> float:
    """The quota in a group of version 1; infinite for none."""
    quota, period = ([*_words(folder / f"cpu.cfs_{name}_us"), ""][0] for name in ("quota", "period"))
    return _ratio(quota, period)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _ratio(quota: str, period: str) -> float:
    """Microseconds over microseconds; infinite where they are no positive integers (max, -1, nothing)."""
    if quota.isdigit() and period.isdigit() and int(quota) and int(period):
        return int(quota) / int(period)
    return math.inf
