"""Pickles of arrays and settings, read as data: nothing in the file is ever called or imported.

Python's own unpickler calls what a pickle tells it to. Here its opcodes are interpreted into plain
values; a name of a class or function stays a name (`Name`), and a call stays a record of the call
(`Record`). Names outside of the libraries that a checkpoint of weights rightly mentions are
refused, since their only use would be to run code.
"""

import pickletools
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Classes of these libraries may be mentioned, functions may not: some run what they are given.
_LIBRARIES = (
    *("allegro", "e3nn", "lightning", "lightning_fabric", "nequip", "omegaconf", "pathlib"),
    *("pytorch_lightning", "torchmetrics", "torch.nn", "torch.optim"),
)
_CLASS = re.compile(r"_*[A-Z]\w*|_spherical_harmonics")  # e3nn has this one in small letters
_NAMES = {
    "_codecs": re.compile("encode"),
    # Types alone: OmegaConf notes those of the values of its containers, as `typing.Any` is one.
    "builtins": re.compile(
        "set|frozenset|dict|list|tuple|slice|complex|bytearray|bool|int|long|float|str|unicode"
    ),
    "collections": re.compile("OrderedDict|defaultdict|deque|Counter"),
    "datetime": re.compile("datetime|timedelta"),
    "numpy": re.compile(r"dtype|ndarray|bool_?|u?int\d+|float\d+|complex\d+"),
    "numpy._core.multiarray": re.compile("scalar|_reconstruct"),
    "numpy.core.multiarray": re.compile("scalar|_reconstruct"),
    "torch": re.compile(r"\w+Storage|Size|Tensor|device|bool|u?int\d+|b?float\d+|complex\d+"),
    "torch._tensor": re.compile("_rebuild_from_type_v2"),
    "torch._utils": re.compile(r"_rebuild_\w+"),
    "torch.serialization": re.compile("_get_layout"),
    "typing": re.compile("Any"),
}
_ERRORS = (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, struct.error)


class Name(NamedTuple):
    """Dotted name of a class or function that the pickle refers to."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute}"


@dataclass(eq=False)
class Record:
    """An object of a class that this reader does not know.

    Attributes:
        name: class or function that would have made it.
        args: arguments of the call.
        state: what would have been set afterwards, often a dictionary of attributes.
    """

    name: Name
    args: tuple[Any, ...]
    state: Any = None


class Storage(NamedTuple):
    """Numbers kept in another entry of the archive.

    Attributes:
        kind: torch's name of the storage, such as "FloatStorage".
        key: entry that holds them.
    """

    kind: str
    key: str


class Tensor(NamedTuple):
    """A strided view into a storage; all counts in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(content: bytes) -> Any:
    """Reads a pickle made by torch (protocols 2 to 5).

    Returns:
        Python containers, numbers and strings; `Tensor`, `Name` and `Record` for the rest.

    Raises:
        ValueError: the pickle is damaged, or refers to a function or class that has no place in a
            checkpoint of weights.
    """
    try:
        return _Machine().run(content)
    except _ForbiddenError:
        raise
    except _ERRORS as error:
        raise ValueError(f"its pickle is damaged or of an unknown kind: {error}.") from error


class _ForbiddenError(ValueError):
    """A name that only code execution has a use for."""


_MARK = object()
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT")
_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_LITERALS = frozenset((*_NUMBERS, *_TEXTS, *_BYTES))
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}


@dataclass
class _Machine:
    """The stack machine of pickle, without the parts that reach outside."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, content: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _LITERALS:
                self.stack.append(argument)
            elif opcode.name in _CONSTANTS:
                self.stack.append(_CONSTANTS[opcode.name]())
            elif opcode.name == "STOP":
                return self.stack.pop()
            else:
                step = getattr(self, "op_" + opcode.name.lower(), None)
                if step is None:
                    raise ValueError(f"it uses the opcode {opcode.name}, which torch never writes")
                step(argument)
        raise ValueError("it has no end")

    def pop_to_mark(self) -> list[Any]:
        start = max(index for index, item in enumerate(self.stack) if item is _MARK)
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def op_proto(self, _: int) -> None: ...

    def op_frame(self, _: int) -> None: ...

    def op_binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    op_long_binput = op_binput

    def op_memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def op_binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    op_long_binget = op_binget

    def op_tuple(self, _: None) -> None:
        items = self.pop_to_mark()
        self.stack.append(tuple(items))

    def op_tuple1(self, _: None) -> None:
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def op_tuple2(self, _: None) -> None:
        self.stack[-2:] = [tuple(self.stack[-2:])]

    def op_tuple3(self, _: None) -> None:
        self.stack[-3:] = [tuple(self.stack[-3:])]

    def op_append(self, _: None) -> None:
        item = self.stack.pop()
        self.extend([item])

    def op_appends(self, _: None) -> None:
        items = self.pop_to_mark()
        self.extend(items)

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], Record):  # what an unknown container holds is not needed
            self.stack[-1].extend(items)

    def op_additems(self, _: None) -> None:
        items = self.pop_to_mark()
        self.stack[-1].update(map(_hashable, items))

    def op_frozenset(self, _: None) -> None:
        items = self.pop_to_mark()
        self.stack.append(frozenset(map(_hashable, items)))

    def op_setitem(self, _: None) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self.set_items([key, value])

    def op_setitems(self, _: None) -> None:
        items = self.pop_to_mark()
        self.set_items(items)

    def set_items(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], Record):
            keys = map(_hashable, items[::2])
            self.stack[-1].update(zip(keys, items[1::2], strict=True))

    def op_global(self, argument: str) -> None:
        module, attribute = argument.split(" ", 1)
        module = "builtins" if module == "__builtin__" else module  # as protocol 2 calls it
        self.stack.append(_checked(Name(module, attribute)))

    def op_stack_global(self, _: None) -> None:
        attribute = self.stack.pop()
        module = self.stack.pop()
        self.stack.append(_checked(Name(str(module), str(attribute))))

    def op_binpersid(self, _: None) -> None:
        kind, storage, key, *_ = self.stack.pop()
        if kind != "storage" or not isinstance(storage, Name) or not isinstance(key, str | int):
            raise ValueError("it refers to something outside of it that is no storage")
        self.stack.append(Storage(storage.attribute, str(key)))

    def op_reduce(self, _: None) -> None:
        args = self.stack.pop()
        function = self.stack.pop()
        self.stack.append(_call(function, args))

    op_newobj = op_reduce

    def op_build(self, _: None) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Record):
            self.stack[-1].state = state


def _checked(name: Name) -> Name:
    """Returns the name if a checkpoint may refer to it."""
    module, attribute = name
    parents = (".".join(module.split(".")[:depth]) for depth in (1, 2))
    pattern = _CLASS if any(parent in _LIBRARIES for parent in parents) else _NAMES.get(module)
    if pattern is not None and pattern.fullmatch(attribute):
        return name
    raise _ForbiddenError(
        f"it refers to {name}, which has no place among weights and settings and may be meant to "
        "run code. The file was refused and nothing in it was executed."
    )


def _call(function: Any, args: Any) -> Any:
    """The value of the few calls that make plain data, and a record of any other."""
    if not isinstance(function, Name) or not isinstance(args, tuple):
        raise ValueError(f"it calls a {type(function).__name__}, which is no name of a class")
    match str(function):
        case "collections.OrderedDict":
            return _dict(*args)
        case "builtins.set":
            return set(map(_hashable, *args)) if args else set()
        case "torch._utils._rebuild_tensor_v2":
            return _tensor(*args[:4])
        case "torch._utils._rebuild_parameter":
            return args[0]
    return Record(function, args)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    counts = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or not all(_is_count(count) for count in counts):
        raise ValueError("it holds a tensor without a storage or with a strange shape")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _dict(items: Iterable[tuple[Any, Any]] = ()) -> dict[Any, Any]:
    return {_hashable(key): value for key, value in items}


def _hashable(key: Any) -> Any:
    """Only flat keys: hashing a deeply nested one would overflow the stack of the interpreter."""
    if not isinstance(key, str | int | float | Name | None):
        raise ValueError(f"it has a key of type {type(key).__name__}")
    return key
