"""Frozen, value-hashed descriptions of a model: what `Allegro` builds itself from.

Two configs with equal fields are equal, hash alike and therefore share every compiled function.
Each checks its fields when it is made, and goes to and from JSON through plain dictionaries.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

Nonlinearity = Literal["silu", "mish", "gelu"]
PerType = float | tuple[float, ...]

FORMAT_VERSION = 1


def _require(condition: bool, owner: object, field: str, expected: str) -> None:
    """Raises a ValueError that names the field, what was expected and what came."""
    if not condition:
        value = getattr(owner, field)
        raise ValueError(f"{type(owner).__name__}.{field} must be {expected}; got {value!r}.")


def _is_integer(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _is_number(value: object) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]


def _is_positive(value: object) -> bool:
    return _is_number(value) and value > 0  # type: ignore[operator]


def _freeze(value: Any) -> Any:
    """Turns lists and numpy values into hashable Python ones, which JSON can hold."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return tuple(_freeze(item) for item in value) if isinstance(value, list | tuple) else value


def _require_nonlinearity(owner: object, field: str) -> None:
    choices = (*get_args(Nonlinearity), None)
    _require(getattr(owner, field) in choices, owner, field, f"one of {choices}")


def _require_widths(owner: object, field: str, at_least: int = 0) -> None:
    widths = getattr(owner, field)
    ok = isinstance(widths, tuple) and all(_is_integer(width, 1) for width in widths)
    _require(
        ok and len(widths) >= at_least,
        owner,
        field,
        f"a tuple of {at_least} or more positive integers",
    )


@dataclass(frozen=True)
class Precision:
    """Which part of the model runs in which floating-point type.

    Attributes:
        geometry: edge vectors, lengths, radial basis, envelope and spherical harmonics.
        network: weights, scalar and tensor features.
        energy: sums of edge energies, scales, shifts and pair terms.
    """

    geometry: str = "float32"
    network: str = "float32"
    energy: str = "float32"

    def __post_init__(self) -> None:
        for field in ("geometry", "network", "energy"):
            choices = ("bfloat16", "float32", "float64")
            _require(getattr(self, field) in choices, self, field, f"one of {choices}")

    @property
    def needs_x64(self) -> bool:
        """Whether any part asks for float64, which JAX gives only where x64 is enabled."""
        return "float64" in (self.geometry, self.network, self.energy)


@dataclass(frozen=True)
class MLPConfig:
    """Hidden layers of a bias-free perceptron; depth 0 leaves one matrix.

    Attributes:
        depth: number of hidden layers.
        width: channels of each of them.
        nonlinearity: "silu", "mish", "gelu", or None for a product of matrices.
    """

    depth: int = 1
    width: int = 64
    nonlinearity: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        _require(_is_integer(self.depth, 0), self, "depth", "an integer >= 0")
        _require(_is_integer(self.width, 1), self, "width", "an integer >= 1")
        _require_nonlinearity(self, "nonlinearity")


@dataclass(frozen=True)
class MLPReadout:
    """Plain Allegro: E_ij = MLP(h_ij; hidden; 1), without biases."""

    hidden: tuple[int, ...] = (32,)
    activation: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", _freeze(self.hidden))
        _require_widths(self, "hidden")
        _require_nonlinearity(self, "activation")


@dataclass(frozen=True)
class StackedMLPReadout:
    """Allegro+MLP: E_ij = MLP(MLP(h_ij; hidden; features); final_hidden; 1), without biases."""

    hidden: tuple[int, ...] = (32,)
    features: int = 16
    final_hidden: tuple[int, ...] = (64, 64)
    activation: Nonlinearity | None = "silu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", _freeze(self.hidden))
        object.__setattr__(self, "final_hidden", _freeze(self.final_hidden))
        _require_widths(self, "hidden")
        _require(_is_integer(self.features, 1), self, "features", "an integer >= 1")
        _require_widths(self, "final_hidden")
        _require_nonlinearity(self, "activation")


@dataclass(frozen=True)
class QDIReadout:
    """Allegro+QDI: a quantum depth-infused circuit between two linear maps of the edge scalars.

    E_ij = u(r_ij) Linear(Linear(QDI(MLP(h_ij; hidden; features)); final_width); 1).

    Attributes:
        hidden: widths of the perceptron before the circuit.
        features: numbers encoded into the circuit, a multiple of `n_qubits`.
        n_qubits: width of the circuit.
        depth: entangling layers per trainable block.
        entangling: "strong" (three angles per qubit) or "basic" (one angle).
        rotation: axis of the rotations that encode the features.
        measure: Pauli operator whose expectation is read on every qubit.
        final_width: channels between the circuit and the edge energy.
        activation: nonlinearity of the classical parts.
        simulator: "unitaries" (exact, at nearly classical speed) or "qnode" (PennyLane's own
            state-vector simulation, gate by gate); both compute the same function.
    """

    hidden: tuple[int, ...] = (32,)
    features: int = 4
    n_qubits: int = 4
    depth: int = 1
    entangling: Literal["strong", "basic"] = "strong"
    rotation: Literal["X", "Y", "Z"] = "Z"
    measure: Literal["X", "Y", "Z"] = "Y"
    final_width: int = 16
    activation: Nonlinearity | None = "silu"
    simulator: Literal["unitaries", "qnode"] = "unitaries"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", _freeze(self.hidden))
        _require_widths(self, "hidden")
        for field in ("n_qubits", "features", "depth", "final_width"):
            _require(_is_integer(getattr(self, field), 1), self, field, "an integer >= 1")
        multiple = f"a multiple of n_qubits = {self.n_qubits}"
        _require(self.features % self.n_qubits == 0, self, "features", multiple)
        _require(self.entangling in ("strong", "basic"), self, "entangling", "'strong' or 'basic'")
        for field in ("rotation", "measure"):
            _require(getattr(self, field) in ("X", "Y", "Z"), self, field, "'X', 'Y' or 'Z'")
        ok = self.simulator in ("unitaries", "qnode")
        _require(ok, self, "simulator", "'unitaries' or 'qnode'")
        _require_nonlinearity(self, "activation")


Readout = MLPReadout | StackedMLPReadout | QDIReadout
READOUT_KINDS: Mapping[str, type] = {
    "mlp": MLPReadout,
    "stacked_mlp": StackedMLPReadout,
    "qdi": QDIReadout,
}


@dataclass(frozen=True)
class SplineBasis:
    """Radial basis of squared raised cosines with one set of coefficients per pair of types."""

    num_splines: int = 16
    span: int = 12

    def __post_init__(self) -> None:
        _require(_is_integer(self.num_splines, 1), self, "num_splines", "an integer >= 1")
        within = f"an integer between 0 and num_splines - 1 = {self.num_splines - 1}"
        _require(_is_integer(self.span, 0) and self.span < self.num_splines, self, "span", within)


@dataclass(frozen=True)
class ZBL:
    """Screened nuclear repulsion added to the model (eV, Å), with its own envelope exponent."""

    polynomial_cutoff_p: float = 6.0

    def __post_init__(self) -> None:
        ok = _is_number(self.polynomial_cutoff_p) and self.polynomial_cutoff_p >= 2
        _require(ok, self, "polynomial_cutoff_p", "a number >= 2")


@dataclass(frozen=True)
class AllegroConfig:
    """Everything that fixes the shape and the constants of an Allegro model.

    Attributes:
        type_names: chemical symbols; the position in the tuple is the species index.
        cutoff: largest edge length (Å).
        l_max: highest degree of the spherical harmonics and of the tensor features.
        parity: keep irreps of both parities in the tensor track (matters from 3 layers on).
        num_layers: Allegro layers.
        num_scalar_features: channels of each block of the scalar track.
        num_tensor_features: channels of the tensor track.
        radial_chemical_embed_dim: channels of the two-body embedding, even for Bessel functions;
            None takes `num_scalar_features`.
        num_bessels: Bessel functions of the radial basis.
        bessel_trainable: make their frequencies, which start at 1..num_bessels, parameters.
        polynomial_cutoff_p: exponent of the envelope u_p; need not be an integer.
        splines: `SplineBasis` instead of the Bessel functions, or None.
        per_edge_type_cutoff: cutoffs [centre type][neighbour type] (Å), at most `cutoff` each.
        scalar_embed_mlp: perceptron after the two-body embedding.
        allegro_mlp: perceptron of every layer.
        readout: per-edge readout.
        avg_num_neighbors: divisor of the sums over neighbours, one number or one per type.
        per_type_energy_scales: factor σ of the atomic energies, one number or one per type.
        per_type_energy_shifts: energy μ of an isolated atom (eV), one number or one per type.
        trainable_scales: make σ a parameter per type, which starts at the given values.
        trainable_shifts: make μ a parameter per type, which starts at the given values.
        forward_normalize: scale weights by their fan-in (else by their fan-out).
        tp_path_channel_coupling: a tensor-product weight per path and channel (else per path).
        weight_individual_irreps: environment weights per irrep and channel (else per channel).
        pair_potential: `ZBL` or None.
        tensor_product: "sparse" (unrolled, fast) or "e3nn" (`e3nn_jax.tensor_product`).
        precision: floating-point types.
    """

    type_names: tuple[str, ...]
    cutoff: float
    l_max: int = 1
    parity: bool = True
    num_layers: int = 2
    num_scalar_features: int = 64
    num_tensor_features: int = 16
    radial_chemical_embed_dim: int | None = None
    num_bessels: int = 8
    bessel_trainable: bool = False
    polynomial_cutoff_p: float = 6.0
    splines: SplineBasis | None = None
    per_edge_type_cutoff: tuple[tuple[float, ...], ...] | None = None
    scalar_embed_mlp: MLPConfig = MLPConfig()
    allegro_mlp: MLPConfig = MLPConfig()
    readout: Readout = MLPReadout()
    avg_num_neighbors: PerType = 1.0
    per_type_energy_scales: PerType | None = None
    per_type_energy_shifts: PerType | None = None
    trainable_scales: bool = False
    trainable_shifts: bool = False
    forward_normalize: bool = True
    tp_path_channel_coupling: bool = True
    weight_individual_irreps: bool = True
    pair_potential: ZBL | None = None
    tensor_product: Literal["sparse", "e3nn"] = "sparse"
    precision: Precision = Precision()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _freeze(getattr(self, field.name)))
        self._check_types()
        self._check_sizes()
        self._check_radial()
        self._check_per_type()
        self._check_parts()

    def _check_types(self) -> None:
        names = self.type_names
        ok = isinstance(names, tuple) and len(names) > 0 and len(set(names)) == len(names)
        _require(ok, self, "type_names", "a tuple of distinct chemical symbols, at least one")
        from ase.data import atomic_numbers  # here, to keep `--help` quick

        unknown = [name for name in names if name not in atomic_numbers or name == "X"]
        if unknown:
            raise ValueError(
                f"AllegroConfig.type_names must be chemical symbols such as 'Cu'; got {unknown!r}."
            )

    def _check_sizes(self) -> None:
        _require(_is_positive(self.cutoff), self, "cutoff", "a positive length in Å")
        _require(_is_integer(self.l_max, 0), self, "l_max", "an integer >= 0")
        for field in ("num_layers", "num_scalar_features", "num_tensor_features"):
            _require(_is_integer(getattr(self, field), 1), self, field, "an integer >= 1")

    def _check_radial(self) -> None:
        _require(_is_integer(self.num_bessels, 1), self, "num_bessels", "an integer >= 1")
        dim = self.embedding_dim
        if not _is_integer(dim, 1) or (self.splines is None and dim % 2):
            raise ValueError(
                "AllegroConfig.radial_chemical_embed_dim (num_scalar_features where it is None) "
                f"must be a positive even number, half for each atom of the edge; got {dim!r}."
            )
        p = self.polynomial_cutoff_p
        _require(_is_number(p) and p >= 2, self, "polynomial_cutoff_p", "a number >= 2")
        if self.per_edge_type_cutoff is not None:
            self._check_edge_cutoffs(self.per_edge_type_cutoff)

    def _check_edge_cutoffs(self, table: tuple[tuple[float, ...], ...]) -> None:
        n = len(self.type_names)
        square = len(table) == n and all(isinstance(row, tuple) and len(row) == n for row in table)
        ok = square and all(_is_positive(r) and r <= self.cutoff for row in table for r in row)
        expected = f"{n} rows of {n} lengths between 0 and cutoff = {self.cutoff} Å, or None"
        _require(ok, self, "per_edge_type_cutoff", expected)

    def _check_per_type(self) -> None:
        n = len(self.type_names)
        fields = ("avg_num_neighbors", "per_type_energy_scales", "per_type_energy_shifts")
        for field in fields:
            value = getattr(self, field)
            if value is None and field != "avg_num_neighbors":
                continue
            values = value if isinstance(value, tuple) else (value,) * n
            valid = _is_positive if field == "avg_num_neighbors" else _is_number
            word = "positive number" if field == "avg_num_neighbors" else "finite number"
            expected = f"a {word} or one for each of the {n} types"
            _require(len(values) == n and all(map(valid, values)), self, field, expected)

    def _check_parts(self) -> None:
        for field in ("scalar_embed_mlp", "allegro_mlp"):
            _require(isinstance(getattr(self, field), MLPConfig), self, field, "an MLPConfig")
        kinds = tuple(READOUT_KINDS.values())
        names = ", ".join(kind.__name__ for kind in kinds)
        _require(isinstance(self.readout, kinds), self, "readout", f"one of {names}")
        for field, kind in (("pair_potential", ZBL), ("splines", SplineBasis)):
            value = getattr(self, field)
            ok = value is None or isinstance(value, kind)
            _require(ok, self, field, f"a {kind.__name__} config or None")
        ok = self.tensor_product in ("sparse", "e3nn")
        _require(ok, self, "tensor_product", "'sparse' or 'e3nn'")
        _require(isinstance(self.precision, Precision), self, "precision", "a Precision")

    @property
    def embedding_dim(self) -> int:
        """Channels of the two-body embedding."""
        dim = self.radial_chemical_embed_dim
        return self.num_scalar_features if dim is None else dim

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """Atomic number of every species index."""
        from ase.data import atomic_numbers  # here, to keep `--help` quick

        return tuple(atomic_numbers[name] for name in self.type_names)

    def to_json(self) -> dict[str, Any]:
        """Returns a dictionary that `json.dumps` accepts and `from_json` reads back."""
        data = dataclasses.asdict(self)
        data["readout"]["kind"] = next(
            kind for kind, cls in READOUT_KINDS.items() if isinstance(self.readout, cls)
        )
        return {"format_version": FORMAT_VERSION, **data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Builds the config that `to_json` described.

        Raises:
            ValueError: unknown format version, unknown or missing fields, invalid values.
        """
        fields = dict(data)
        version = fields.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ValueError(
                f"Expected an AllegroConfig of format_version {FORMAT_VERSION}; got {version!r}. "
                "Read it with the release that wrote it."
            )
        parts: dict[str, type] = {
            "scalar_embed_mlp": MLPConfig,
            "allegro_mlp": MLPConfig,
            "splines": SplineBasis,
            "pair_potential": ZBL,
            "precision": Precision,
        }
        if "readout" in fields:
            fields["readout"], parts["readout"] = _untag_readout(fields["readout"])
        for name, part in parts.items():
            if fields.get(name) is not None:
                fields[name] = _build(part, fields[name])
        return _build(cls, fields)


def _untag_readout(data: Mapping[str, Any]) -> tuple[dict[str, Any], type]:
    rest = dict(data)
    kind = rest.pop("kind", None)
    if kind not in READOUT_KINDS:
        raise ValueError(f"readout['kind'] must be one of {sorted(READOUT_KINDS)}; got {kind!r}.")
    return rest, READOUT_KINDS[kind]


def _build(cls: type, fields: Mapping[str, Any]) -> Any:
    """Makes `cls` from a mapping, naming the fields it does not know or lacks."""
    known = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise ValueError(f"{cls.__name__} has no fields {unknown}; it has {sorted(known)}.")
    required = {name for name, field in known.items() if field.default is dataclasses.MISSING}
    missing = sorted(required - set(fields))
    if missing:
        raise ValueError(f"{cls.__name__} needs the fields {missing}, which are missing.")
    return cls(**{name: _freeze(value) for name, value in fields.items()})
