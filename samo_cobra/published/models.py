"""Steps 2 to 4: transforms, interpolants, and the choice of one model per output.

The model of one output is s(z) = sum_i w_i phi(|z - z_i|) + c . [1, z_1..z_d, z_1^2..z_d^2], from
the saddle-point system [[Phi, P], [P', 0]] [w; c] = [y; 0]. Models are numbered
``2 * kernel + version``, in the order of the authors' list: ties go to the first.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

N_MODELS = 12

# Singular values below this share of the largest one are taken for zero.
_CUT_OFF = 1e-14
# Where no model has a finite score the authors' code takes the last kernel without logarithm.
_LAST_RESORT = N_MODELS - 2
_LARGEST = float(np.finfo(float).max)

_Kernel = Callable[[np.ndarray], np.ndarray]


def _thin_plate(r: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return r**2 * np.log(np.where(r > 0.0, r, 1.0))


# In the order of surrogates.KERNELS; of distances, all with width 1.
_KERNELS: tuple[_Kernel, ...] = (
    lambda r: r**3,
    lambda r: np.exp(-(r**2)),
    lambda r: np.sqrt(1.0 + r**2),
    lambda r: 1.0 / (1.0 + r**2),
    lambda r: 1.0 / np.sqrt(1.0 + r**2),
    _thin_plate,
)
_AT_ZERO = (0.0, 1.0, 1.0, 1.0, 1.0, 0.0)


class Moments(NamedTuple):
    """``transformed = (version(y) - shift) / scale``, for plain and logarithmic version."""

    shift: Float[np.ndarray, "outputs 2"]
    scale: Float[np.ndarray, "outputs 2"]


class Fits(NamedTuple):
    """All twelve models of every output, fitted to one history."""

    points: Float[np.ndarray, "points dims"]
    weights: Float[np.ndarray, "kernels rows outputs 2"]
    inverses: Float[np.ndarray, "kernels rows rows"]
    moments: Moments


def plog(y: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Signed logarithm, ``sign(y) ln(1 + |y|)``."""
    return np.sign(y) * np.log1p(np.abs(y))


def plog_inverse(v: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Inverse of :func:`plog`; it overflows to infinity, as published."""
    return np.sign(v) * np.expm1(np.abs(v))


def _versions(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape 2"]:
    return np.stack([values, plog(values)], axis=-1)


def moments(values: Float[np.ndarray, "points outputs"], n_objectives: int) -> Moments:
    """Mean and standard deviation of objectives, zero and range of constraints (step 2).

    Args:
        values: outputs of all points, feasible or not, objectives first.
        n_objectives: number of leading columns that are objectives.
    """
    both = _versions(values)
    shift = np.mean(both, axis=0)
    scale = np.std(both, axis=0)
    shift[n_objectives:] = 0.0
    scale[n_objectives:] = np.ptp(both, axis=0)[n_objectives:]
    return Moments(shift, scale)


def fit(
    points: Float[np.ndarray, "points dims"],
    values: Float[np.ndarray, "points outputs"],
    n_objectives: int,
) -> Fits:
    """Fits all kernels and transforms to all outputs (step 3).

    With fewer points than tail terms the pseudo-inverse gives the minimum-norm solution.
    """
    n, dims = points.shape
    distances = np.sqrt(np.sum((points[:, None] - points[None]) ** 2, axis=2))
    tail = np.concatenate([np.ones((n, 1)), points, points**2], axis=1)
    system = np.zeros((len(_KERNELS), n + 2 * dims + 1, n + 2 * dims + 1))
    system[:, :n, :n] = [kernel(distances) for kernel in _KERNELS]
    system[:, :n, n:] = tail
    system[:, n:, :n] = tail.T
    inverses = np.linalg.pinv(system, rcond=_CUT_OFF)
    moments_now = moments(values, n_objectives)
    with np.errstate(divide="ignore", invalid="ignore"):
        targets = (_versions(values) - moments_now.shift) / moments_now.scale
        weights = inverses[:, :, :n] @ targets.reshape(n, -1)
    return Fits(points, weights.reshape(*weights.shape[:2], -1, 2), inverses, moments_now)


def _distances(
    points: Float[np.ndarray, "points dims"], z: Float[np.ndarray, " dims"]
) -> Float[np.ndarray, " points"]:
    difference = points - z
    return np.sqrt(np.einsum("ij,ij->i", difference, difference))


def _basis(
    kernel: int, distances: Float[np.ndarray, " points"], z: Float[np.ndarray, " dims"]
) -> Float[np.ndarray, " rows"]:
    return np.concatenate([_KERNELS[kernel](distances), [1.0], z, z**2])


def _finite(raw: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return np.where(np.isfinite(raw), raw, np.inf)


def squared_errors(
    fits: Fits,
    updated: Moments,
    z: Float[np.ndarray, " dims"],
    values: Float[np.ndarray, " outputs"],
) -> Float[np.ndarray, "models outputs"]:
    """Squared errors, in original units, of models that did not know ``z`` yet (step 4).

    As published, predictions are mapped back with the moments that already include the new point,
    not with those that the models were fitted with. So a model that is exact shows an error.

    Args:
        fits: models fitted before the point was known.
        updated: moments with the point.
        z: the point.
        values: its outputs.
    """
    distances = _distances(fits.points, z)
    rows = np.stack([_basis(kernel, distances, z) for kernel in range(len(_KERNELS))])
    with np.errstate(over="ignore", invalid="ignore"):
        transformed = _finite(np.einsum("kr,krov->kov", rows, fits.weights))
        raw = transformed * updated.scale + updated.shift
        original = np.stack([raw[..., 0], plog_inverse(raw[..., 1])], axis=-1)
        errors = (original - values[None, :, None]) ** 2
    return errors.swapaxes(1, 2).reshape(N_MODELS, -1)


def counted(improved: Bool[np.ndarray, " points"], latest: int) -> Int[np.ndarray, " counted"]:
    """Points whose errors count: all that raised the hypervolume, and the latest ones."""
    counts = improved.copy()
    # There is nothing before the first point that it could have raised.
    counts[0] = False
    counts[-latest:] = True
    return np.flatnonzero(counts)


def choose(
    errors: Float[np.ndarray, "counted models outputs"],
) -> tuple[Int[np.ndarray, " outputs"], Float[np.ndarray, " outputs"]]:
    """Number and root mean square error of the best model of every output.

    Args:
        errors: squared errors at the points that count.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scores = np.sqrt(np.mean(errors, axis=0))
    scores = np.where(scores < _LARGEST, scores, np.inf)
    best = np.where(np.isfinite(scores).any(axis=0), np.argmin(scores, axis=0), _LAST_RESORT)
    return best, scores[best, np.arange(len(best))]


class Predictor:
    """Predictions of the chosen models in original units.

    Args:
        fits: models of all outputs.
        chosen: number of the model of every output.
    """

    def __init__(self, fits: Fits, chosen: Sequence[int] | Int[np.ndarray, " outputs"]) -> None:
        kernels, version = np.asarray(chosen) // 2, np.asarray(chosen) % 2
        columns = np.arange(len(kernels))
        self.points = fits.points
        self._logarithmic = np.flatnonzero(version)
        self._shift = fits.moments.shift[columns, version]
        self._scale = fits.moments.scale[columns, version]
        self._groups = []
        for kernel in np.unique(kernels):
            places = np.flatnonzero(kernels == kernel)
            weights = fits.weights[kernel][:, places, version[places]]
            self._groups.append((kernel, places, weights, fits.inverses[kernel]))

    def __call__(
        self,
        z: Float[np.ndarray, " dims"],
        distances: Float[np.ndarray, " points"],
        with_variance: bool,
    ) -> tuple[Float[np.ndarray, " outputs"], Float[np.ndarray, " outputs"]]:
        """Predictions, and their variances |phi(0) - b' M^-1 b| (step 5), or zeros.

        Variances are in units of the kernel; b holds kernel values and tail at ``z``.
        """
        raw, variance = np.empty(len(self._scale)), np.zeros(len(self._scale))
        for kernel, places, weights, inverse in self._groups:
            basis = _basis(kernel, distances, z)
            raw[places] = basis @ weights
            if with_variance:
                variance[places] = abs(_AT_ZERO[kernel] - basis @ inverse @ basis)
        original = _finite(raw) * self._scale + self._shift
        original[self._logarithmic] = plog_inverse(original[self._logarithmic])
        return original, variance

    def distances(self, z: Float[np.ndarray, " dims"]) -> Float[np.ndarray, " points"]:
        """Distances from the evaluated points."""
        return _distances(self.points, z)
