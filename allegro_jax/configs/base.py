"""What the configs of all architectures share: fields, their checks, JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from allegro_jax.configs.checks import build, freeze, is_integer, is_number, is_positive, require
from allegro_jax.configs.parts import ZBL, Precision, as_pair_potential
from allegro_jax.configs.quantum import QDILayer
from allegro_jax.configs.readout_kinds import READOUT_KINDS, Readout, tag_readout, untag_readout
from allegro_jax.configs.readouts import MLPReadout

PerType = float | tuple[float, ...]
Normalization = Literal["fan_in", "fan_out", "second_moment"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ModelConfig:
    """Fields that every architecture has; `AllegroConfig` and `Allegro2023Config` add theirs.

    Attributes:
        type_names: chemical symbols; the position in the tuple is the species index.
        cutoff: largest edge length (Å).
        l_max: highest degree of the spherical harmonics and of the tensor features.
        parity: keep irreps of both parities in the tensor track (matters from 3 layers on).
        num_layers: Allegro layers.
        num_tensor_features: channels of the tensor track.
        num_bessels: Bessel functions of the radial basis.
        bessel_trainable: make their frequencies, which start at 1..num_bessels, parameters.
        polynomial_cutoff_p: exponent of the envelope u_p; need not be an integer.
        readout: per-edge readout.
        avg_num_neighbors: divisor of the sums over neighbours, one number or one per type.
        per_type_energy_scales: factor σ of the atomic energies, one number or one per type.
        per_type_energy_shifts: energy μ of an isolated atom (eV), one number or one per type.
        trainable_scales: make σ a parameter per type, which starts at the given values.
        trainable_shifts: make μ a parameter per type, which starts at the given values.
        pair_potential: `ZBL` or None; "zbl", "zbl-covalent" and a mapping of its fields are taken
            for a `ZBL`.
        tensor_product: back end of the tensor product; "auto" takes that of the platform, "sparse"
            is unrolled, "dense" uses matrix products, "e3nn" is `e3nn_jax.tensor_product`.
        latent_circuit: `QDILayer` beside the perceptron of every Allegro layer, or None.
        precision: floating-point types.
    """

    type_names: tuple[str, ...]
    cutoff: float
    l_max: int = 1
    parity: bool = True
    num_layers: int = 2
    num_tensor_features: int = 16
    num_bessels: int = 8
    bessel_trainable: bool = False
    polynomial_cutoff_p: float = 6.0
    readout: Readout = MLPReadout()
    avg_num_neighbors: PerType = 1.0
    per_type_energy_scales: PerType | None = None
    per_type_energy_shifts: PerType | None = None
    trainable_scales: bool = False
    trainable_shifts: bool = False
    pair_potential: ZBL | None = None
    tensor_product: Literal["auto", "sparse", "dense", "e3nn"] = "auto"
    precision: Precision = Precision()
    latent_circuit: QDILayer | None = None

    architecture: ClassVar[str]
    """Name of the architecture, which tags the JSON form."""
    part_types: ClassVar[Mapping[str, type]] = {
        "pair_potential": ZBL,
        "precision": Precision,
        "latent_circuit": QDILayer,
    }
    """Fields that hold a config of their own."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, freeze(getattr(self, field.name)))
        object.__setattr__(self, "pair_potential", as_pair_potential(self.pair_potential))
        self._check_types()
        self._check_sizes()
        self._check_radial()
        self._check_per_type()
        self._check_parts()

    def _check_types(self) -> None:
        names = self.type_names
        ok = isinstance(names, tuple) and len(names) > 0 and len(set(names)) == len(names)
        require(ok, self, "type_names", "a tuple of distinct chemical symbols, at least one")
        from ase.data import atomic_numbers  # here, to keep `--help` quick

        unknown = [name for name in names if name not in atomic_numbers or name == "X"]
        if unknown:
            raise ValueError(
                f"{type(self).__name__}.type_names must be chemical symbols such as 'Cu'; "
                f"got {unknown!r}."
            )

    def _check_sizes(self) -> None:
        require(is_positive(self.cutoff), self, "cutoff", "a positive length in Å")
        require(is_integer(self.l_max, 0), self, "l_max", "an integer >= 0")
        for field in ("num_layers", "num_tensor_features", "num_bessels"):
            require(is_integer(getattr(self, field), 1), self, field, "an integer >= 1")

    def _check_radial(self) -> None:
        p = self.polynomial_cutoff_p
        require(is_number(p) and p >= 2, self, "polynomial_cutoff_p", "a number >= 2")

    def _check_per_type(self) -> None:
        n = len(self.type_names)
        fields = ("avg_num_neighbors", "per_type_energy_scales", "per_type_energy_shifts")
        for field in fields:
            value = getattr(self, field)
            if value is None and field != "avg_num_neighbors":
                continue
            values = value if isinstance(value, tuple) else (value,) * n
            valid = is_positive if field == "avg_num_neighbors" else is_number
            word = "positive number" if field == "avg_num_neighbors" else "finite number"
            expected = f"a {word} or one for each of the {n} types"
            require(len(values) == n and all(map(valid, values)), self, field, expected)

    def _check_parts(self) -> None:
        kinds = tuple(READOUT_KINDS.values())
        names = ", ".join(kind.__name__ for kind in kinds)
        require(type(self.readout) in kinds, self, "readout", f"one of {names}")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for field, kind in self.part_types.items():
            value = getattr(self, field)
            optional = defaults[field] is None
            ok = isinstance(value, kind) or (optional and value is None)
            require(ok, self, field, f"a {kind.__name__}{' or None' if optional else ''}")
        self._check_repulsion()
        ok = self.tensor_product in ("auto", "sparse", "dense", "e3nn")
        require(ok, self, "tensor_product", "'auto', 'sparse', 'dense' or 'e3nn'")

    def _check_repulsion(self) -> None:
        reach = None if self.pair_potential is None else self.pair_potential.cutoff
        if is_number(reach) and reach > self.cutoff:  # type: ignore[operator]
            raise ValueError(
                f"pair_potential.cutoff must be at most the cutoff of {self.cutoff} Å, where the "
                f"edges end; got {reach}"
            )

    @property
    def normalization(self) -> Normalization:
        """How the weights of the perceptrons are scaled; see `allegro_jax.nn.mlp.MLP`."""
        raise NotImplementedError

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """Atomic number of every species index."""
        from ase.data import atomic_numbers  # here, to keep `--help` quick

        return tuple(atomic_numbers[name] for name in self.type_names)

    def to_json(self) -> dict[str, Any]:
        """Returns a dictionary that `json.dumps` accepts and `from_json` reads back."""
        data = dataclasses.asdict(self)
        data["readout"]["kind"] = tag_readout(self.readout)
        return {"format_version": FORMAT_VERSION, "architecture": self.architecture, **data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Builds the config that `to_json` described.

        Raises:
            ValueError: unknown format version, another architecture, unknown or missing fields,
                invalid values.
        """
        fields = dict(data)
        version = fields.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ValueError(
                f"Expected an {cls.__name__} of format_version {FORMAT_VERSION}; got {version!r}. "
                "Read it with the release that wrote it."
            )
        found = fields.pop("architecture", cls.architecture)
        if found != cls.architecture:
            raise ValueError(
                f"Expected the architecture {cls.architecture!r} of {cls.__name__}; got {found!r}. "
                "`config_from_json` reads the configs of all architectures."
            )
        parts = dict(cls.part_types)
        if "readout" in fields:
            fields["readout"], parts["readout"] = untag_readout(fields["readout"])
        for name, part in parts.items():
            if fields.get(name) is not None:
                fields[name] = build(part, fields[name])
        return build(cls, fields)
