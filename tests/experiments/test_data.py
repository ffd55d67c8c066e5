import pytest

from allegro_jax.datasets import LeakWarning, load
from allegro_jax.graphs import GraphStore, write_store
from experiments.configs.train import get_config
from experiments.data import load_splits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    write_store(load("culi").select(range(0, 2178, 40)), folder, 4.0)
    return str(folder)


def test_a_store_is_opened_where_its_folder_is_named(folder):
    config = get_config().data
    config.name, config.train, config.valid, config.test = folder, 40, 5, 5
    with pytest.warns(LeakWarning, match="split by trajectory"):
        parts = load_splits(config)
    assert isinstance(parts.train, GraphStore)
    assert [len(part) for part in (parts.train, parts.valid, parts.test)] == [40, 5, 5]


def test_groups_stay_together_if_asked_for(folder):
    config = get_config().data
    config.name, config.valid, config.test, config.by_group = folder, 6, 6, True
    parts = load_splits(config)
    kinds = [set(part.config_type) for part in (parts.train, parts.valid, parts.test)]
    assert not kinds[0] & kinds[1]
    assert not kinds[0] & kinds[2]
