"""What is not installed says which extra installs it."""

import pytest

from allegro_jax.extras import MissingExtraError, imported


def test_a_missing_package_names_its_extra():
    with pytest.raises(MissingExtraError, match=r"a file needs .* no_such_package") as caught:
        imported("no_such_package.part", "hdf5", "a file", "; or convert it")
    assert str(caught.value).endswith("pip install 'allegro-jax[hdf5]'; or convert it")
    assert caught.value.name == "no_such_package"


@pytest.mark.parametrize("kind", [ModuleNotFoundError, ValueError])
def test_programs_and_libraries_catch_it_each_in_their_way(kind: type[Exception]):
    with pytest.raises(kind):
        imported("no_such_package", "hdf5", "a file")


def test_a_package_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import something_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs") as caught:
        imported("half_there", "hdf5", "a file")
    assert not isinstance(caught.value, MissingExtraError)
