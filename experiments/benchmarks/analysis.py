"""How far our programs are from what the machine can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.benchmarks.cases import Case
from experiments.benchmarks.counts import operations
from experiments.benchmarks.machine import copy_rate
from experiments.benchmarks.worker import config_of

HEADER = (
    "case",
    "XLA GFLOP",
    "XLA GB",
    "matmul GFLOP",
    "product GFLOP",
    "GFLOP/s",
    "GB/s",
    "of matmul rate",
    "of copy rate",
    "ms if: matmul",
    "products",
    "traffic",
    "limit / measured",
)


class Position(NamedTuple):
    """Where a measured case lies.

    Attributes:
        xla_gflop: Operations of the compiled program by XLA's count.
        xla_gb: Bytes that its operations read and write by XLA's count; what stays in a cache
            between two of them is counted too.
        matmul_gflop: Our count of matrix products on the real edges.
        product_gflop: Our count of tensor products and environments on the real edges.
        gflops: `xla_gflop` over the measured time.
        gbs: `xla_gb` over the measured time.
        matmul_ms: The matrix products at the machine's matmul rate.
        product_ms: The tensor products at its multiply-add rate.
        traffic_ms: `xla_gb` at the copy rate of a working set like the program's.
        copy_gbs: That rate.
        measured_ms: Smallest time of a call.
    """

    xla_gflop: float
    xla_gb: float
    matmul_gflop: float
    product_gflop: float
    gflops: float
    gbs: float
    matmul_ms: float
    product_ms: float
    traffic_ms: float
    copy_gbs: float
    measured_ms: float

    @property
    def share(self) -> float:
        """(matrix products at the matmul rate + traffic at the copy rate) / measured time."""
        return (self.matmul_ms + self.traffic_ms) / self.measured_ms


def position(line: Mapping[str, Any], rates: Mapping[str, Any]) -> Position:
    """Places one of our measurements between the rates of the machine.

    Args:
        line: A measurement of ours, as written by the benchmark.
        rates: What `machine.rates` found for the same type.
    """
    case = Case(**line["case"])
    counted = operations(config_of(case), line["edges"], case.task)
    measured_ms, copy_gbs = _fastest_ms(line), copy_rate(rates, line["xla_mb"])
    gflop, gb = (line["xla_flops"] or 0) / 1e9, (line["xla_bytes"] or 0) / 1e9
    return Position(
        xla_gflop=gflop,
        xla_gb=gb,
        matmul_gflop=counted.matmul / 1e9,
        product_gflop=counted.products / 1e9,
        gflops=1e3 * gflop / measured_ms,
        gbs=1e3 * gb / measured_ms,
        matmul_ms=1e3 * counted.matmul / 1e9 / rates["matmul_gflops"],
        product_ms=1e3 * counted.products / 1e9 / rates["multiply_add_gflops"],
        traffic_ms=1e3 * gb / copy_gbs,
        copy_gbs=copy_gbs,
        measured_ms=measured_ms,
    )


def _fastest_ms(line: Mapping[str, Any]) -> float:
    return line["cpu_ms" if line["platform"] == "cpu" else "wall_ms"]["min"]


def rows(
    lines: Iterable[Mapping[str, Any]], rates: Sequence[Mapping[str, Any]]
) -> list[tuple[str, ...]]:
    """Returns a table row for each of our measurements whose type has rates."""
    by_dtype = {rate["dtype"]: rate for rate in rates}
    return [
        _row(Case(**line["case"]).name, position(line, rate), rate)
        for line in lines
        if line["implementation"] == "allegro_jax" and "size" in line["case"]
        if (rate := by_dtype.get(line["case"]["dtype"])) is not None
    ]


def _row(name: str, found: Position, rate: Mapping[str, Any]) -> tuple[str, ...]:
    shares = found.gflops / rate["matmul_gflops"], found.gbs / found.copy_gbs
    times = found.matmul_ms, found.product_ms, found.traffic_ms
    return (
        name,
        *(f"{number:.3g}" for number in found[:6]),
        *(f"{share:.0%}" for share in shares),
        *(f"{time:.3g}" for time in times),
        f"{found.share:.0%}",
    )


def describe(rate: Mapping[str, Any]) -> str:
    """One line of what the machine can do."""
    copies = ", ".join(f"{gbs:.0f} ({size} MB)" for size, gbs in rate["copy_gbs"].items())
    return (
        f"{rate['device']}, {rate['dtype']}: matmul {rate['matmul_gflops']:.0f} GFLOP/s, "
        f"copy {copies} GB/s, multiply-add {rate['multiply_add_gbs']:.1f} GB/s from "
        f"memory and {rate['multiply_add_gflops']:.1f} GFLOP/s in cache, "
        f"exp {rate['exp_gops']:.2f} G/s"
    )
