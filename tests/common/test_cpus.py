"""How many processors may be used: by affinity, and by the quota of control groups of both versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synth.common import cpus


def test_no_more_than_the_affinity_allows() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity here")
    allowed = sorted(os.sched_getaffinity(0))
    program = (
        f"import os; os.sched_setaffinity(0, {{{allowed[0]}}}); from synth.common.cpus import available_cpus;"
        "print(available_cpus())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == "1\n"
    assert 1 <= cpus.available_cpus() <= len(allowed)


@pytest.mark.parametrize(
    ("group", "files", "quota"),
    [
        ("0::/a/b", {"a/b/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/b/cpu.max": "max 100000"}, None),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000", "cpu.max": "400000 100000"}, 0.5),
        ("0::/a/../..", {"cpu.max": "300000 100000"}, 3.0),
        ("0::/not/seen/in/here", {"cpu.max": "200000 100000"}, 2.0),
        ("0::/", {"cpu.max": ""}, None),
        ("0::/", {"cpu.max": "5 0"}, None),
        ("4:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "25000", "cpu/a/cpu.cfs_period_us": "10000"}, 2.5),
        ("4:cpu,cpuacct:/a", {"cpu,cpuacct/cpu.cfs_quota_us": "10", "cpu,cpuacct/cpu.cfs_period_us": "10"}, 1.0),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "10000"}, None),
        ("3:memory:/a\nnonsense", {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "10000"}, None),
    ],
)
def test_the_quota_of_control_groups(group: str, files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    groups.write_text(group + "\n")
    for name, content in files.items():
        place = tmp_path / "mount" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content + "\n")
    assert cpus.cgroup_quota(groups, tmp_path / "mount") == quota


@pytest.mark.parametrize(("quota", "most"), [(0.3, 1), (1.0, 1), (1.1, 2), (1000.0, 1000)])
def test_a_quota_is_rounded_up(quota: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "cgroup_quota", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)
    assert cpus.available_cpus() == min(5, most)


def test_without_control_groups(tmp_path: Path) -> None:
    assert cpus.cgroup_quota(tmp_path / "none", tmp_path) is None


def test_nothing_else_counts_processors() -> None:
    root = Path(__file__).parents[2]
    users = [path for path in sorted((root / "synth").rglob("*.py")) if "os.cpu_count" in path.read_text("utf-8")]
    assert [path.name for path in users] == ["cpus.py"]


def test_waiting_threads_sleep_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in cpus._WAITING:
        monkeypatch.setenv(name, "")  # so that all goes back
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    cpus.let_waiting_threads_sleep()
    assert "GOMP_SPINCOUNT" not in os.environ and os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    cpus.let_waiting_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE" and os.environ["KMP_BLOCKTIME"] == "0"
