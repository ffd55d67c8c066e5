"""The stopwatch of the peers' scripts, for our own runners.

The scripts import it from their folder, since their environments know nothing of this package.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "peers"))

import jax_program
import stopwatch

__all__ = ["jax_program", "stopwatch"]
