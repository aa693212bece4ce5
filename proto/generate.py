"""
Make the Python code of every contract, beside its .proto file.

    python proto/generate.py            write it
    python proto/generate.py --check    write nothing, exit 1 and name the files that differ
"""

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent


def generate(target: Path) -> None:
    contracts = sorted(path.relative_to(ROOT) for path in ROOT.glob("zato/proto/*/v1/*.proto"))
    plugins = ("python", "mypy", "grpc_python", "mypy_grpc")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT}"]
    command += [f"--{plugin}_out={'quiet:' if 'mypy' in plugin else ''}{target}" for plugin in plugins]
    # The plug-ins for mypy are programs beside the interpreter, which need not be on the PATH.
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([*command, *map(str, contracts)], check=True, cwd=ROOT, env=environ)


def differing_files(made: Path) -> list[Path]:
    names = sorted(path.relative_to(made) for path in made.rglob("*_pb2*.py*"))
    return [name for name in names if not (ROOT / name).exists() or not filecmp.cmp(made / name, ROOT / name, shallow=False)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare with what is committed")
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = differing_files(Path(folder))
    for name in stale:
        print(f"proto/{name} differs from its contract: run 'python proto/generate.py' and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
