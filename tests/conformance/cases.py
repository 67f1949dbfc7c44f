"""The whole set, in the order of its files."""

from __future__ import annotations

from tests.conformance import algebra, counting, networks, physics, sequences, signals

CASES = (
    *algebra.CASES,
    *networks.CASES,
    *signals.CASES,
    *sequences.CASES,
    *physics.CASES,
    *counting.CASES,
)
