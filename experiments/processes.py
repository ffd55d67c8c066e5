"""One training over the devices of several processes, joined by `jax.distributed`."""

from __future__ import annotations

from absl import flags

_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Train together with the other processes that are started alike."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first process; found by itself under SLURM and on TPUs."
)
_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes; found likewise.")
_PROCESS = flags.DEFINE_integer("process_id", None, "Number of this process; found likewise.")


def join() -> bool:
    """Joins the other processes if the flags say so; to be called before anything is computed.

    Returns:
        Whether this is the process that writes and prints.

    Raises:
        ValueError: If the flags do not say, and the environment does not tell, who the others are.
    """
    if not _DISTRIBUTED.value:
        return True
    import jax  # quick `--help`

    try:
        jax.distributed.initialize(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"the processes could not be joined: {error}; give --coordinator=HOST:PORT, "
            "--num_processes and --process_id to every one"
        ) from error
    return jax.process_index() == 0
