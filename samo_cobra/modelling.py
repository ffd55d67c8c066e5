"""From the history to one model per output: fits, choice, and what is believed of the unknown."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from samo_cobra import choice, margins, smoothing, surrogates, transforms
from samo_cobra.exact import ExactOutputs
from samo_cobra.history import History
from samo_cobra.padding import capacity, pad_rows
from samo_cobra.precision import float64_on_cpu
from samo_cobra.settings import Settings

# Latest trials whose leave-one-out errors count besides those of trials that extended the front.
_RECENT = 10
# Points whose errors count, at the most, while there are few.
_MOST_EARLY = 32
# Fewer points than this say nothing of a model by being left out of it in turn.
_FEWEST_LEFT_OUT = 4
# Latest trials whose prediction errors decide margins.
_RECENT_FOR_MARGINS = 20
# Unit of the margins by outcomes, in ranges of the constraint: at 1, as published for margins in
# raw units, they keep the search off the border, where many fronts lie.
_OUTCOME_UNIT = 0.02


@dataclasses.dataclass(frozen=True)
class Modelled:
    """Models, and the history as the search is to see it.

    Attributes:
        model: one kernel and transform per modelled output.
        history: the trials, with believed outputs of partly measured and pending ones, and with
            means in place of noisy values.
        chosen: number of the winning model of every modelled output.
        errors: the error by which it was chosen, in original units.
        margins: how far inside the constraints the search has to stay.
        n_measured: number of leading points of the history that are trials; the others are
            believed.
    """

    model: surrogates.Model
    history: History
    chosen: Int[np.ndarray, " modelled"]
    errors: Float[np.ndarray, " modelled"]
    margins: margins.Margins
    n_measured: int


class Modeller:
    """Fits models to a growing history; what it keeps could be computed again from the trials.

    Args:
        exact: outputs that need no model.
        n_objectives: number of objectives.
        n_initial: size of the initial design, each of whose points is predicted from the others.
        settings: how models are chosen.
    """

    def __init__(
        self, exact: ExactOutputs, n_objectives: int, n_initial: int, settings: Settings
    ) -> None:
        self._exact = exact
        self._columns = exact.modelled
        self._n_objectives = sum(c < n_objectives for c in self._columns)
        self._n_initial = n_initial
        self._settings = settings
        self._errors: dict[int, Float[np.ndarray, "models modelled"]] = {}
        self._fitted: tuple[int, surrogates.Surrogates] | None = None

    def __call__(
        self,
        history: History,
        reference: Float[np.ndarray, " objectives"],
        pending: Float[np.ndarray, "pending dims"],
        at_once: int = 1,
    ) -> Modelled:
        """Fits, chooses, and fills in what is unknown.

        Args:
            history: what has been told.
            reference: reference point, objectives minimised.
            pending: places of the points under way.
            at_once: number of points that are evaluated at the same time.
        """
        improved = choice.improving(history.objectives, history.feasible, reference)
        with float64_on_cpu():
            if self._settings.noise:
                return self._smoothed(history, pending)
            fitted = self._fit_told(history, len(history))
            scores = self._scores(history, fitted, improved, at_once)
            chosen = np.argmin(scores, axis=0)
            model = self._select(fitted, chosen)
            errors = scores[chosen, np.arange(len(chosen))]
            extended = self._believing(history, model, pending)
            if len(extended) > len(history):
                model = self._select(self._fit(extended.z, extended.values), chosen)
            wide = self._margins(history, chosen)
            return Modelled(model, extended, chosen, errors, wide, len(history))

    def _smoothed(
        self,
        history: History,
        pending: Float[np.ndarray, "pending dims"],
    ) -> Modelled:
        fitted, errors = self._smoothing(history)
        scores = choice.root_mean_square(np.asarray(errors)[: len(history)])
        # A reciprocal version is measured from the least value, which noise decides.
        scores[transforms.VERSIONS.index("reciprocal") :: surrogates.N_VERSIONS] = np.inf
        chosen = np.argmin(scores, axis=0)
        model = surrogates.select(fitted, jnp.asarray(chosen))
        if len(history.partial):
            # What was measured of partial trials counts, what was not follows the others.
            whole = self._believing(history, model, pending[:0])
            model = surrogates.select(self._smoothing(whole)[0], jnp.asarray(chosen))
        means = history.values.copy()
        padded = pad_rows(history.z, capacity(len(history)))
        predicted = surrogates.predict(model, jnp.asarray(padded))[0]
        means[:, self._columns] = np.asarray(predicted)[: len(history)]
        smooth = history.replaced(means)
        extended = self._believing(smooth, model, pending)
        errors = scores[chosen, np.arange(len(chosen))]
        wide = margins.Margins.none(history.constraints.shape[1])
        return Modelled(model, extended, chosen, errors, wide, len(history))

    def _smoothing(
        self, history: History
    ) -> tuple[surrogates.Surrogates, Float[Array, "points models modelled"]]:
        size = capacity(len(history))
        return smoothing.fit(
            jnp.asarray(pad_rows(history.z, size)),
            jnp.asarray(pad_rows(history.values[:, self._columns], size)),
            jnp.arange(size) < len(history),
            n_objectives=self._n_objectives,
        )

    def _scores(
        self,
        history: History,
        fitted: surrogates.Surrogates,
        improved: Bool[np.ndarray, " points"],
        at_once: int,
    ) -> Float[np.ndarray, "models modelled"]:
        if self._settings.model_choice == "leave-one-out":
            return self._by_leaving_out(history, fitted, improved)
        # Points that come back together are much alike, so all of them count.
        return self._by_prediction(history, improved, max(self._settings.latest, at_once))

    def _by_leaving_out(
        self,
        history: History,
        fitted: surrogates.Surrogates,
        improved: Bool[np.ndarray, " points"],
    ) -> Float[np.ndarray, "models modelled"]:
        """Scores by the errors of all models at the points that count, each without the point."""
        padded = pad_rows(history.values[:, self._columns], len(fitted.points))
        errors = np.asarray(surrogates.leave_one_out_errors(fitted, jnp.asarray(padded)))
        counts = improved.copy()
        counts[-_RECENT:] = True
        return choice.root_mean_square(errors[: len(history)][counts])

    def _by_prediction(
        self,
        history: History,
        improved: Bool[np.ndarray, " points"],
        latest: int,
    ) -> Float[np.ndarray, "models modelled"]:
        """Scores by the errors that the models made when each point was new."""
        n, determined = len(history), self._determined(history)
        counted = np.arange(max(0, n - _MOST_EARLY), n)
        if n >= determined + 2:
            # Errors of models with too few points for their tails say little once there are others.
            counted = choice.counted(improved, latest)
            counted = counted[counted >= determined]
        return choice.mean_absolute(
            np.array([self._prediction_errors(history, int(j)) for j in counted])
        )

    def _margins(self, history: History, chosen: Int[np.ndarray, " modelled"]) -> margins.Margins:
        """Margins of both kinds for the modelled constraints, none for the others."""
        k, n = history.objectives.shape[1], len(history)
        columns = np.arange(self._n_objectives, len(self._columns))
        places = np.array(self._columns[self._n_objectives :], dtype=int) - k
        wide = margins.Margins.none(history.constraints.shape[1])
        infills = history.constraints[self._n_initial :, places]
        wide.by_outcomes[places] = _OUTCOME_UNIT * margins.by_outcomes(infills)
        recent = range(max(self._determined(history), n - _RECENT_FOR_MARGINS), n)
        if len(recent) and len(places):
            signed = np.array([self._prediction_errors(history, j) for j in recent])
            errors = np.zeros((len(recent), history.constraints.shape[1]))
            errors[:, places] = signed[:, chosen[columns], columns]
            distances = np.array([history.distance(history.z[j], j) for j in recent])
            slopes = margins.slopes(errors / history.ranges(), distances)
            wide = dataclasses.replace(wide, slopes=slopes, distances=distances)
        return wide

    def _determined(self, history: History) -> int:
        """The first trial predicted by models whose tails were determined by the data."""
        return max(self._n_initial, surrogates.n_tail(history.z.shape[1]))

    def _prediction_errors(self, history: History, j: int) -> Float[np.ndarray, "models modelled"]:
        """Errors at trial ``j`` of the models of the moment before it.

        For a trial of the initial design they are those of models of all others of it: for the
        first infill these errors are all there is to choose by.
        """
        initial = j < max(2, self._n_initial)
        if initial and not _FEWEST_LEFT_OUT <= self._n_initial <= len(history):
            return np.zeros((surrogates.N_MODELS, len(self._columns)))
        if j not in self._errors:
            if initial:
                others = np.delete(np.arange(self._n_initial), j)
                models = self._fit(history.z[others], history.values[others])
            else:
                models = self._fit_told(history, j)
            self._errors[j] = choice.prediction_errors(
                models, history.z[j], history.values[j, self._columns]
            )
        return self._errors[j]

    def _fit_told(self, history: History, n: int) -> surrogates.Surrogates:
        """Models of the first ``n`` trials; the latest are kept for the next call."""
        if self._fitted is None or self._fitted[0] != n:
            self._fitted = (n, self._fit(history.z[:n], history.values[:n]))
        return self._fitted[1]

    def _fit(
        self, z: Float[np.ndarray, "points dims"], values: Float[np.ndarray, "points outputs"]
    ) -> surrogates.Surrogates:
        size = capacity(len(z))
        return surrogates.fit(
            jnp.asarray(pad_rows(z, size)),
            jnp.asarray(pad_rows(values[:, self._columns], size)),
            jnp.asarray(np.arange(size) < len(z)),
            n_objectives=self._n_objectives,
            with_inverse=self._settings.needs_inverse,
        )

    def _select(
        self, fitted: surrogates.Surrogates, chosen: Int[np.ndarray, " modelled"]
    ) -> surrogates.Model:
        model = surrogates.select(fitted, jnp.asarray(chosen))
        return model if self._settings.infill == "sms" else model._replace(inverse=None)

    def _believing(
        self,
        history: History,
        model: surrogates.Model,
        pending: Float[np.ndarray, "pending dims"],
    ) -> History:
        """Adds partly measured and pending points with what the models predict there."""
        z = np.concatenate([history.partial_z, pending])
        if len(z) == 0:
            return history
        predicted = surrogates.predict(model, jnp.asarray(pad_rows(z, capacity(len(z)))))[0]
        # A wild extrapolation is not worth believing: it would set the scale of the next fit.
        spread = np.ptp(history.values, axis=0)
        low, high = history.values.min(axis=0) - spread, history.values.max(axis=0) + spread
        believed = np.empty((len(z), history.values.shape[1]))
        believed[:, self._columns] = np.asarray(predicted)[: len(z)]
        believed = np.clip(np.nan_to_num(believed), low, high)
        believed[:, list(self._exact.functions)] = self._exact.outputs(z)
        known = np.full_like(believed, np.nan)
        known[: len(history.partial)] = history.partial
        eligible = np.concatenate([history.partial_eligible, np.ones(len(pending), dtype=bool)])
        return history.extended(z, np.where(np.isnan(known), believed, known), eligible)
