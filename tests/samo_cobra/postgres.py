"""A PostgreSQL server for one test, if its programs are installed."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple


def find() -> Path | None:
    """Returns the newest folder with the server's programs."""
    folders = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


class Server(NamedTuple):
    """A running server: its URL for SQLAlchemy, and what stops it, breaking all connections."""

    url: str
    stop: Callable[[], None]
    start: Callable[[], None]

    def restart(self) -> None:
        self.stop()
        self.start()


@contextlib.contextmanager
def server(programs: Path) -> Iterator[str]:
    """Starts a server that listens on a socket of its own, and yields the URL for SQLAlchemy."""
    with restartable_server(programs) as running:
        yield running.url


@contextlib.contextmanager
def restartable_server(programs: Path) -> Iterator[Server]:
    """Starts a server that can be stopped and started in between."""
    # Sockets have short names only, and other users cannot enter pytest's folders.
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        folder = Path(name)
        run = _Runner(programs, folder)
        run("initdb", "--auth=trust", "--username=test", "--encoding=UTF8", "--no-locale", "-N")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"

        def start() -> None:
            run("pg_ctl", "start", "--wait", f"--log={folder / 'log'}", f"--options={options}")

        start()
        try:
            url = f"postgresql+psycopg://test@/postgres?host={folder}"
            yield Server(url, lambda: run("pg_ctl", "stop", "--wait", "--mode=fast"), start)
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate")


class _Runner:
    """Runs the server's programs; they refuse the superuser, who becomes somebody else."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __call__(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, *arguments, f"--pgdata={self._folder / 'data'}"]
        # A file, not a pipe: the server keeps what it inherits open.
        with (self._folder / f"{program}.txt").open("w+") as output:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=120,
                **self._identity,
            )
            output.seek(0)
            assert done.returncode == 0, output.read()
