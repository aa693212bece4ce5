"""Builds the double, and looks after the folder that is its queue manager."""

import os
import subprocess
from pathlib import Path


class QueueManager:
    """
    Args:
        folder: An empty folder for the library and the queues.
    """

    def __init__(self, compiler: str, folder: Path) -> None:
        self.library = folder / "libmqm_r.so"
        self.folder = folder / "queues"
        self.folder.mkdir()
        source = Path(__file__).with_name("libmqm_double.c")
        flags = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-Wl,-soname,libmqm_r.so", "-pthread")
        subprocess.run([compiler, *flags, "-o", str(self.library), str(source)], check=True)
        # Of ours and of the processes that we start.
        os.environ["MQ_DOUBLE_FOLDER"] = str(self.folder)

    def define(self, *queues: str) -> None:
        for queue in queues:
            (self.folder / queue).mkdir(exist_ok=True)

    def set(self, mark: str, is_set: bool = True) -> None:
        """Have a mark, e.g. ".down" or "Q/.full", or have it no more."""
        path = self.folder / mark
        path.touch() if is_set else path.unlink()

    def size(self, queue: str) -> int:
        return sum(not path.name.startswith(".") for path in (self.folder / queue).iterdir())
