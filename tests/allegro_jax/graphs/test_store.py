import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from allegro_jax.configs import MLPConfig, MLPReadout
from allegro_jax.datasets import Dataset, load, official_split, split, statistics
from allegro_jax.graphs import (
    GraphDataset,
    batch,
    capacity_for,
    graphs_for,
    open_store,
    ordered_batches,
    store_writer,
    write_store,
)
from allegro_jax.graphs.flat import flat_graphs
from allegro_jax.graphs.store_files import COLUMNS, MappedFile
from allegro_jax.training import TrainingConfig, atomic_energies, config_from_data, train
from allegro_jax.training.evaluation import evaluate

CUTOFF = 4.0


def equal(left, right):
    same = jax.tree.map(lambda a, b: a.dtype == b.dtype and np.array_equal(a, b), left, right)
    return all(jax.tree.leaves(same))


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.glob("*.npy")}


@pytest.fixture(scope="module")
def metals():
    """Bulk, slabs and, without a cell, clusters."""
    data = load("culi").select(range(0, 2178, 90))
    pbc, cell = data.pbc.copy(), data.cell.copy()
    pbc[::5], cell[::5] = False, 0.0
    pbc[1::5, 2] = False
    return dataclasses.replace(data, pbc=pbc, cell=cell, stress=None)


@pytest.fixture(scope="module")
def benzene(tmp_path_factory):
    return write_store(load("rmd17-benzene"), tmp_path_factory.mktemp("benzene"), CUTOFF)


@pytest.fixture(scope="module")
def stored(metals, tmp_path_factory):
    return write_store(metals, tmp_path_factory.mktemp("metals"), CUTOFF)


def small_config(data):
    return config_from_data(
        data, CUTOFF, l_max=1, num_layers=1, num_scalar_features=4, num_tensor_features=2,
        scalar_embed_mlp=MLPConfig(1, 4), allegro_mlp=MLPConfig(1, 4), readout=MLPReadout((4,)),
    )  # fmt: skip


def test_a_store_gives_the_batches_of_memory_to_the_last_bit(metals, stored):
    references = statistics(metals).atomic_energies
    memory = GraphDataset.build(metals, CUTOFF, metals.elements, references)
    disk = stored.graphs(metals.elements, references)
    rows = np.random.default_rng(0).permutation(len(metals))[:7]
    assert equal(flat_graphs(disk), flat_graphs(memory))
    capacity = capacity_for(memory, 7)
    assert capacity == capacity_for(disk, 7)
    for dtype in (np.float32, np.float64):
        assert equal(batch(disk, rows, capacity, dtype), batch(memory, rows, capacity, dtype))


def test_a_selection_of_a_store_is_the_store_of_the_selection(metals, stored):
    rows = np.array([20, 3, 11, 4])
    species = (3, 13, 29)  # of a model that knows more elements, in its own order
    memory = GraphDataset.build(metals.select(rows), CUTOFF, species)
    chosen = stored.select(range(1, 25)).select(rows - 1)
    assert equal(flat_graphs(chosen.graphs(species)), flat_graphs(memory))
    assert chosen.graphs(species).max_neighbors == memory.max_neighbors
    np.testing.assert_array_equal(chosen.config_type, metals.config_type[rows])
    for item, expected in zip(chosen, metals.select(rows), strict=True):
        assert all(
            np.array_equal(getattr(item, field.name), getattr(expected, field.name))
            for field in dataclasses.fields(item)
        )


def test_random_splits_of_a_store_read_no_large_array(stored, metals):
    parts = split(stored, 10, 5, seed=0, check=False)
    expected = split(metals, 10, 5, seed=0, check=False)
    np.testing.assert_array_equal(parts.test.energy, expected.test.energy)
    assert parts.train.forces.base is stored.forces.base


def test_official_splits_go_with_the_data(benzene):
    found = official_split(benzene, valid=50, seed=0)
    expected = official_split(load("rmd17-benzene"), valid=50, seed=0)
    for part in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(found, part).energy, getattr(expected, part).energy)
    assert found.train.splits == {}


def test_atoms_without_neighbours_can_be_stored(tmp_path):
    data = Dataset("atoms", [1, 8], np.zeros((2, 3)), [1, 1], [-13.6, -2041.0])
    store = write_store(data, tmp_path, CUTOFF)
    assert store.n_edges.tolist() == [0, 0]
    memory = GraphDataset.build(data, CUTOFF, store.species)
    assert equal(flat_graphs(store.graphs(store.species)), flat_graphs(memory))
    with pytest.raises(ValueError, match="no atom of 'atoms' has a neighbour"):
        config_from_data(store, CUTOFF)


def test_statistics_of_a_store_are_those_of_its_structures(metals, stored):
    for store, data in ((stored, metals), (stored.select([2, 9, 4]), metals.select([2, 9, 4]))):
        found, expected = statistics(store), statistics(data)
        assert found.atomic_energies == expected.atomic_energies
        assert found.per_atom_energy_std == expected.per_atom_energy_std
        assert found.force_rms == pytest.approx(expected.force_rms, rel=1e-14)
        assert (found.n_structures, found.n_atoms) == (expected.n_structures, expected.n_atoms)


def test_the_header_holds_the_statistics_of_the_set(metals, stored):
    header = stored.header.statistics
    expected = statistics(metals)
    energies = {int(number): value for number, value in header["atomic_energies"].items()}
    assert energies == pytest.approx(expected.atomic_energies, rel=1e-9)
    assert header["force_rms"] == pytest.approx(expected.force_rms)
    assert header["per_atom_energy_std"] == pytest.approx(expected.per_atom_energy_std)
    memory = GraphDataset.build(metals, CUTOFF, metals.elements)
    assert header["average_neighbors"] == memory.average_neighbors


@pytest.mark.slow
def test_training_from_a_store_is_training_from_memory_to_the_last_bit(metals, stored):
    """Of crystals with stress. By default batches are compared, and a training on molecules
    (`test_combinations.py`).
    """
    config = small_config(metals)
    training = TrainingConfig(max_epochs=2, batch_size=3, resident_gb=0.0)  # in windows
    rows = np.arange(len(metals))
    memory = train(config, training, metals.select(rows[:20]), metals.select(rows[20:]))
    disk = train(config, training, stored.select(rows[:20]), stored.select(rows[20:]))
    for here, there in zip(memory.history, disk.history, strict=True):
        assert here | {"seconds": 0} == there | {"seconds": 0}
    assert equal(memory.potential.params, disk.potential.params)
    assert evaluate(disk.potential, stored) == evaluate(memory.potential, metals)


def test_a_model_takes_the_same_statistics_from_a_store(metals, stored):
    memory, disk = small_config(metals).to_json(), small_config(stored).to_json()
    scale = "per_type_energy_scales"
    assert disk.pop(scale) == pytest.approx(memory.pop(scale), rel=1e-14)
    assert disk == memory
    known = config_from_data(metals, CUTOFF, statistics=statistics(stored), neighbors=30.0)
    assert known.avg_num_neighbors == 30.0


def test_streamed_windows_are_read_in_the_order_of_the_disk(stored, monkeypatch):
    from allegro_jax.sharding.data import DataParallel
    from allegro_jax.training import windows

    read = []
    original = windows.flat_graphs
    monkeypatch.setattr(
        windows, "flat_graphs", lambda g, rows, c: read.append(rows) or original(g, rows, c)
    )
    order = np.random.default_rng(1).permutation(len(stored))
    graphs = stored.select(order).graphs(stored.species)
    streamed = windows.TrainingWindows(graphs, 4, DataParallel.over(4, 1), 0.0)
    assert sum(steps for steps, _ in streamed.epoch(0, 0)) == streamed.steps_per_epoch
    assert len(read) > 1
    assert all(np.all(np.diff(order[rows]) > 0) for rows in read)
    assert sorted(np.concatenate(read).tolist()) == list(range(len(stored)))


class KilledError(Exception):
    pass


def interrupted(structures, after):
    for k, item in enumerate(structures):
        if k == after:
            raise KilledError
        yield item


def copied_on_the_way(structures, folder, copies):
    """Yields structures, and copies the folder as a process killed at that moment leaves it."""
    for k, item in enumerate(structures):
        if copies is not None and k % 4 == 0:
            shutil.copytree(folder, copies / str(k))
        yield item


def test_a_write_killed_at_any_moment_is_taken_up_and_gives_the_same_store(
    tmp_path, metals, monkeypatch
):
    monkeypatch.setattr(store_writer, "CHUNK", 3)
    monkeypatch.setattr(store_writer, "_JOURNAL_S", 0.0)
    folder, copies = tmp_path / "whole", tmp_path / "killed"
    whole = write_store(copied_on_the_way(metals, folder, copies), folder, CUTOFF)
    left = sorted(copies.iterdir())
    assert len(left) == 7
    for killed in left:
        with pytest.raises(FileNotFoundError, match="not finished: call write_store again"):
            open_store(killed)
        again = write_store(copied_on_the_way(metals, killed, None), killed, CUTOFF)
        assert again.header.content == whole.header.content
        assert contents(killed) == contents(folder)


def test_rows_beyond_the_journal_are_cut_off_and_lost_ones_refused(tmp_path, metals, monkeypatch):
    monkeypatch.setattr(store_writer, "CHUNK", 4)
    monkeypatch.setattr(store_writer, "_JOURNAL_S", 0.0)
    whole = write_store(iter(metals), tmp_path / "whole", CUTOFF)
    folder = tmp_path / "broken off"
    with pytest.raises(KilledError):
        write_store(interrupted(metals, 10), folder, CUTOFF)
    with (folder / "positions.npy").open("ab") as file:
        file.write(b"half a row")
    with pytest.raises(KilledError):
        write_store(interrupted(metals, 15), folder, CUTOFF)
    short = folder / "neighbors.npy"
    kept = short.read_bytes()
    short.write_bytes(kept[:-50])
    with pytest.raises(ValueError, match="is shorter than when the writing was interrupted"):
        write_store(interrupted(metals, None), folder, CUTOFF)
    short.write_bytes(kept)
    again = write_store(interrupted(metals, None), folder, CUTOFF)
    assert again.header.content == whole.header.content
    assert contents(folder) == contents(tmp_path / "whole")


@pytest.mark.slow  # each process imports JAX
def test_processes_write_the_same_store(tmp_path, metals, stored, monkeypatch):
    monkeypatch.setattr(store_writer, "CHUNK", 10)
    alone = write_store(metals, tmp_path / "alone", CUTOFF)
    shared = write_store(metals, tmp_path / "shared", CUTOFF, workers=2)
    assert shared.header.content == alone.header.content
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")


def test_a_finished_store_is_returned_by_the_same_call_and_no_other(tmp_path, metals, stored):
    folder = stored.folder
    assert len(write_store(metals, folder, CUTOFF)) == len(metals)
    with pytest.raises(ValueError, match=r"cutoff was 4\.0, is 5\.0"):
        write_store(metals, folder, 5.0)
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"holds \['thesis.tex'\] and is no store"):
        write_store(metals, tmp_path, CUTOFF)


def test_two_processes_do_not_write_one_store(tmp_path, metals):
    from allegro_jax.graphs.store_files import locked

    with locked(tmp_path), pytest.raises(ValueError, match="another process is writing"):
        write_store(metals, tmp_path, CUTOFF)


def test_a_store_for_another_model_is_refused(metals, stored):
    config = small_config(metals)
    with pytest.raises(ValueError, match=r"cutoff of 4\.0 Å, but the model has 5\.0 Å"):
        graphs_for(stored, dataclasses.replace(config, cutoff=5.0), None)
    with pytest.raises(ValueError, match=r"holds the elements Li, but the species .* Cu"):
        stored.graphs((29,))
    with pytest.raises(ValueError, match="no reference energy for the elements Li"):
        stored.graphs((3, 29), {29: -3.0})
    with pytest.raises(ValueError, match=r"write a store with cutoff=6\.0"):
        config_from_data(stored, 6.0)


def test_what_does_not_fit_into_a_store_is_named(tmp_path, metals):
    items = list(metals)
    unlabelled = dataclasses.replace(items[3], energy=None, forces=None, stress=None)
    broken = dataclasses.replace(items[3], energy=float("inf"))
    bare = dataclasses.replace(items[0], forces=None)
    cases = [
        ([*items[:3], unlabelled], {}, r"structure 3 has no label \(energy, forces or stress\)"),
        ([*items[:3], broken], {}, "structure 3: its energy is infinite"),
        ([bare] * 512 + items[:1], {}, "structure 512 has a label that none of the first 512"),
        ([], {}, "holds no structures"),
        (items, {"species": [29]}, "holds Li, which species"),
        ({"a": 1}, {}, "structures come from a Dataset"),
    ]
    for k, (source, options, message) in enumerate(cases):
        with pytest.raises(ValueError, match=message):
            write_store(source, tmp_path / str(k), CUTOFF, **options)


def test_missing_labels_are_nan_as_in_memory(tmp_path, metals):
    energy, forces = metals.energy.copy(), metals.forces.copy()
    energy[[1, 4]] = np.nan
    forces[: metals.n_atoms[0]] = np.nan
    forces[-1] = np.nan
    data = dataclasses.replace(metals, energy=energy, forces=forces, stress=None)
    store = write_store(data, tmp_path, CUTOFF)
    assert store.labelled == data.labelled == {"energy": 23, "forces": 24, "stress": 0}
    references = statistics(data).atomic_energies
    assert statistics(store).atomic_energies == references
    assert statistics(store).force_rms == pytest.approx(statistics(data).force_rms, rel=1e-14)
    expected = store.header.statistics["atomic_energies"]
    assert {int(z): e for z, e in expected.items()} == pytest.approx(references, rel=1e-9)
    memory = GraphDataset.build(data, CUTOFF, data.elements, references)
    flat, other = flat_graphs(store.graphs(data.elements, references)), flat_graphs(memory)
    same = jax.tree.map(lambda a, b: np.array_equal(a, b, equal_nan=True), flat, other)
    assert all(jax.tree.leaves(same))
    assert store.select([0]).forces is None
    assert store[0].forces is None
    assert store[1].energy is None


def test_a_digest_tells_selections_apart(metals, stored):
    assert stored.digest == open_store(stored.folder).digest
    assert stored.select([1, 2]).digest == stored.select([1, 2]).digest
    assert stored.select([1, 2]).digest != stored.select([2, 1]).digest


def test_damaged_stores_are_refused(tmp_path, metals):
    store = write_store(metals, tmp_path, CUTOFF)
    file = tmp_path / "centres.npy"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is damaged"):
        open_store(tmp_path)
    header = json.loads((tmp_path / "store.json").read_text())
    header["plan"]["format"] = 99
    (tmp_path / "store.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match="store of format 99"):
        open_store(store.folder)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_store(tmp_path / "nowhere")


def test_arrays_of_a_store_are_plain_npy_files(stored):
    for name in stored.header.columns:
        array = np.load(stored.folder / f"{name}.npy", mmap_mode="r")
        np.testing.assert_array_equal(array, MappedFile(stored.folder / f"{name}.npy").array)
        assert array.dtype == COLUMNS[name].dtype
        with pytest.raises(ValueError, match="read-only"):
            stored._array(name)[:1] = 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's accounts")
def test_pages_that_were_read_do_not_stay_in_the_memory_of_the_process(benzene):
    def mapped_kb():
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssFile")).split()[1])

    benzene.release()
    before = mapped_kb()
    flat_graphs(benzene.graphs(benzene.species))
    read = mapped_kb() - before
    benzene.release()
    assert read > 1000
    assert mapped_kb() - before < read / 4


def test_molecules_slabs_and_bulk_in_one_store_keep_their_own_boundaries(tmp_path):
    from ase.build import bulk, fcc111, molecule

    frames = [molecule("H2O"), bulk("Cu", cubic=True), fcc111("Cu", (2, 2, 2), vacuum=8.0)]
    for atoms in frames:
        atoms.info["energy"] = -float(len(atoms))
    store = write_store(frames, tmp_path, CUTOFF)
    mixed = ordered_batches(store.graphs(store.species), 3)[0]
    for k, atoms in enumerate(frames):
        alone = write_store([atoms], tmp_path / str(k), CUTOFF)
        (single,) = ordered_batches(alone.graphs(store.species), 1)
        assert mixed.n_edge[k] == single.n_edge[0]
    assert [item.pbc.tolist() for item in store] == [atoms.pbc.tolist() for atoms in frames]


def test_a_set_of_one_composition_has_its_mean_energy_as_reference(tmp_path):
    data = load("rmd17-benzene").select(range(30))
    header = write_store(data, tmp_path, CUTOFF).header.statistics["atomic_energies"]
    total = 6 * header["1"] + 6 * header["6"]
    assert total == pytest.approx(data.energy.mean(), abs=1e-6)
    assert isinstance(data, Dataset)
    assert set(atomic_energies(data)) == {"H", "C"}


def test_progress_is_told(tmp_path, metals, monkeypatch):
    monkeypatch.setattr(store_writer, "CHUNK", 10)
    monkeypatch.setattr(store_writer, "_JOURNAL_S", 0.0)
    told = []
    write_store(itertools.chain(metals), tmp_path, CUTOFF, on_progress=told.append)
    assert told == [10, 20, 25]
