"""Which dispersion correction belongs to a potential."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, get_args

from allegro_jax.configs.checks import build, is_positive, require

Damping = Literal["bj", "zero", "bjm", "zerom", "op"]

_NAME = re.compile(
    r"(?P<functional>.+)-d3[-(]*(?P<damping>[a-z0]+)\)?(?P<atm>-atm)?", re.IGNORECASE
)
_DAMPINGS = {"0": "zero", "mbj": "bjm", "m": "bjm", "mzero": "zerom", "0m": "zerom"}


@dataclass(frozen=True)
class D3:
    """D3 dispersion (Grimme et al., J. Chem. Phys. 132, 154104 (2010)) of a density functional.

    Attributes:
        functional: density functional whose parameters are taken, such as "pbe" or "b3lyp".
        damping: "bj" (Becke-Johnson, J. Comput. Chem. 32, 1456 (2011)), "zero" (that of 2010),
            "bjm" and "zerom" (Smith et al., J. Phys. Chem. Lett. 7, 2197 (2016)), "op" (Witte et
            al., J. Chem. Theory Comput. 13, 2043 (2017)).
        three_body: add the Axilrod-Teller-Muto term of three atoms.
        cutoff: distance (Å) beyond which pairs and triples are left out, over whose last tenth they
            vanish smoothly. None takes those of s-dftd3: 60 Bohr for pairs, 40 for triples.

    Example:
        >>> from allegro_jax.configs import D3
        >>> D3.of("PBE-D3(BJ)")
        D3(functional='pbe', damping='bj', three_body=False, cutoff=None)
    """

    functional: str
    damping: Damping = "bj"
    three_body: bool = False
    cutoff: float | None = None

    def __post_init__(self) -> None:
        named = isinstance(self.functional, str) and self.functional.strip() != ""
        require(named, self, "functional", "the name of a density functional, such as 'pbe'")
        object.__setattr__(self, "functional", self.functional.strip().lower())
        choices = get_args(Damping)
        require(self.damping in choices, self, "damping", f"one of {choices}")
        require(isinstance(self.three_body, bool), self, "three_body", "True or False")
        ok = self.cutoff is None or is_positive(self.cutoff)
        require(ok, self, "cutoff", "a positive length in Å, or None")

    @classmethod
    def of(cls, value: Any) -> Self:
        """Takes what users call a correction: its name, a mapping of its fields, or itself.

        Args:
            value: "PBE-D3(BJ)", "b3lyp-d3zero", "PBE-D3(BJ)-ATM", ...; or as `to_json` has it.

        Raises:
            ValueError: none of these, or an invalid field.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return build(cls, value)
        found = _NAME.fullmatch(value.strip()) if isinstance(value, str) else None
        damping = "" if found is None else found["damping"].lower()
        damping = _DAMPINGS.get(damping, damping)
        if found is None or damping not in get_args(Damping):
            raise ValueError(
                "a dispersion correction has the form functional-D3(damping), such as "
                f"'PBE-D3(BJ)' or 'b3lyp-d3zero', with a damping of {get_args(Damping)}; "
                f"got {value!r}"
            )
        three_body = found["atm"] is not None
        return cls(found["functional"], cast(Damping, damping), three_body)

    @property
    def name(self) -> str:
        """What chemists call it, such as "PBE-D3(BJ)"."""
        atm = "-ATM" if self.three_body else ""
        reach = "" if self.cutoff is None else f" within {self.cutoff:g} Å"
        return f"{self.functional.upper()}-D3({self.damping.upper()}){atm}{reach}"

    def to_json(self) -> dict[str, Any]:
        """Returns a dictionary that `json.dumps` accepts and `of` reads back."""
        return dataclasses.asdict(self)
