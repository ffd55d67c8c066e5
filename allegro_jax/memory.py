"""Memory of the device that JAX computes on."""

from __future__ import annotations

import os
from pathlib import Path

import jax

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """Memory that the device has for this process, used or not; None where it cannot be known."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return min([installed, *_numbers("memory.max", "memory/memory.limit_in_bytes")])


def free_bytes() -> int | None:
    """Memory of the device that nobody uses at present; None where it cannot be known."""
    limit, device = available_bytes(), jax.local_devices()[0]
    if limit is None:
        return None
    if device.platform != "cpu":
        return limit - (device.memory_stats() or {}).get("bytes_in_use", 0)
    used = max(_numbers("memory.current", "memory/memory.usage_in_bytes"), default=0)
    return min([max(limit - used + _given_up_for_the_asking(), 0), *_free_of_machine()])


def gigabytes(size: float) -> str:
    """Writes a number of bytes as a person reads it: "1.25 GB", "38 MB"."""
    if size < 1e9:
        return f"{size / 1e6:,.3g} MB"
    return f"{size / 1e9:,.3g} GB" if size < 1e15 else f"{size / 1e9:.1e} GB"


def _numbers(*names: str) -> list[int]:
    """What a container of Linux may use, or uses, by either version of control groups."""
    files = [_CONTROL_GROUPS / name for name in names]
    words = [file.read_text().strip() for file in files if file.is_file()]
    return [int(word) for word in words if word.isdigit()]


def _given_up_for_the_asking() -> int:
    """Files that a container of Linux keeps in memory and has not used lately."""
    lines = [
        line.split()
        for name in ("memory.stat", "memory/memory.stat")
        if (_CONTROL_GROUPS / name).is_file()
        for line in (_CONTROL_GROUPS / name).read_text().splitlines()
    ]
    return sum(int(number) for name, number in lines if name == "inactive_file")


def _free_of_machine() -> list[int]:
    """Linux's own estimate of what can be used without swapping, caches given up."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return []
    return [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
