"""Look into the wheel and the sdist of a folder, install the wheel in an empty environment, and use it there.

python .ci/try_wheel.py dist
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = (
    "gradchain/py.typed",
    "gradchain/__init__.pyi",
    "gradchain/optax/__init__.pyi",
    "gradchain/aot/h100.txtpb",
)
ABOUT = ("METADATA", "entry_points.txt", "licenses/LICENSE", "licenses/CITATION.cff")  # in dist-info/
LIMIT = 3_000_000  # bytes of the wheel


def version_of(source: str) -> str:
    """The version in the text of gradchain/__init__.py."""
    (found,) = re.findall(r'^__version__ = "([^"]+)"', source, re.MULTILINE)
    return found


def faults(names: list[str], version: str) -> list[str]:
    """What is wrong with the files of a wheel."""
    about = [f"gradchain-{version}.dist-info/{name}" for name in ABOUT]
    found = [f"no {name}" for name in (*DATA, *about) if name not in names]
    folders = {name.split("/")[0] for name in names}
    found += [
        f"{folder}/ in it" for folder in sorted(folders - {"gradchain", f"gradchain-{version}.dist-info"})
    ]
    modules = {str(f.relative_to(ROOT)) for f in (ROOT / "gradchain").rglob("*.py")}
    found += [f"no {name}" for name in sorted(modules - set(names))]
    found += [f"{name} in it" for name in names if "__pycache__" in name or "/test_" in name]
    return found


def quickstart(readme: str) -> str:
    """The first program of the README."""
    return readme.split("```python\n", 1)[1].split("```", 1)[0]


def main(folder: Path) -> None:
    """Check what was built; an error where something is wrong."""
    version = version_of((ROOT / "gradchain" / "__init__.py").read_text())
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    assert (
        wheel.name == f"gradchain-{version}-py3-none-any.whl" and sdist.name == f"gradchain-{version}.tar.gz"
    )
    with zipfile.ZipFile(wheel) as archive:
        wrong = faults(archive.namelist(), version)
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wrong += [
        f"no {name} in the sdist"
        for name in ("LICENSE", "CITATION.cff", "tests/conftest.py")
        if name not in held
    ]
    wrong += [f"{wheel.stat().st_size:,} bytes, over {LIMIT:,}"] if wheel.stat().st_size > LIMIT else []
    if wrong:
        raise SystemExit(f"{wheel.name}: " + "\n".join(wrong))
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, in order")
    with tempfile.TemporaryDirectory() as empty:
        venv.create(empty, with_pip=True)
        bin = Path(empty) / ("Scripts" if sys.platform == "win32" else "bin")
        run(bin / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel.resolve())
        run(bin / "python", "-W", "error", "-c", quickstart((ROOT / "README.md").read_text()), cwd=empty)
        run(bin / "gradchain", "show", "adamw", cwd=empty)
        run(bin / "python", "-c", f"import gradchain; assert gradchain.__version__ == {version!r}", cwd=empty)
    print("installed in an empty environment: the README's first program and `gradchain show` run there")


def run(*command: object, cwd: object = None) -> None:
    """Run a command, silent unless it fails."""
    done = subprocess.run([*map(str, command)], cwd=str(cwd) if cwd else None, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))[:200]}\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
