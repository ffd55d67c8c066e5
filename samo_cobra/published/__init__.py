"""SAMO-COBRA as its authors published it, for comparison with the recommended settings.

De Winter, van Stein and Bäck, EMO 2021: one point at a time, by predicted hypervolume (PHV) or by
the S-metric with uncertainties (SMS), with what the authors' program does where the paper leaves
a choice. Numbered steps in the modules are those of that program:

- 1, :mod:`~samo_cobra.published.proposer`: one random point, then a plain Halton sequence;
- 2 to 4, :mod:`~samo_cobra.published.models`: two transforms, six kernels, and their choice by past
  errors; the errors are measured with moments that already know the new point, as published;
- 5 and 6, :mod:`~samo_cobra.published.infill`: criterion and constraints in raw units;
- 7, :mod:`~samo_cobra.published.search`: COBYLA from many starts, of adapted number and length;
- 8, :mod:`~samo_cobra.published.proposer`: margins of the constraints.

What is not as published:

- COBYLA. SciPy 1.16 put a Python port of PRIMA in place of Powell's Fortran code, which the
  authors ran and which SciPy up to 1.15 has. Method, radii and tolerances are the same, but steps
  and geometry are corrected, values beyond 1e30 are cut off, and the point returned is the best
  of all visited ones and not the last. End points differ in the last digits or lie in another
  valley, so runs drift apart after a few infills; and a call costs about a millisecond instead of
  a tenth of one. Install ``scipy<1.16`` for the published behaviour and speed.
- The gain in hypervolume is summed over boxes instead of being a difference of two hypervolumes,
  each kernel is decomposed once for all outputs, and distances between evaluated points are taken
  from differences. All agree to rounding.

Made for real parameters, at least two objectives and one constraint, a given reference point,
and one evaluation at a time that never fails. Everything else is refused.
"""

from samo_cobra.published.proposer import PublishedProposer

__all__ = ["PublishedProposer"]
