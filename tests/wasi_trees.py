"""The files that WASI tests work on, on the host and as wasmtime is given them."""
import os
import stat

OLD = 1_000_000_000 * 10**9     # ns, of every time in a new tree
OUTSIDE = "secret"


def build(root):
    """`root`/rw and `root`/ro, the same files in both, and `root`/outside, which no guest may see."""
    for name in ("rw", "ro"):
        top = root / name
        (top / "dir" / "sub").mkdir(parents=True)
        (top / "empty").mkdir()
        (top / "file").write_bytes(b"hello")
        (top / "dir" / "inner").write_bytes(b"inside")
        for link, target in (("link", "file"), ("dirlink", "dir"), ("abs", "/etc/passwd"), ("out", "../outside/canary"),
                             ("outdir", "../outside"), ("dangling", "nowhere"), ("loop", "loop"), ("slash", "dir/"),
                             ("deep", "dir/../dirlink/inner"), ("dir/up", "../file"), ("dir/over", "../../outside")):
            os.symlink(target, top / link)
    (root / "outside" / "dir").mkdir(parents=True)
    (root / "outside" / "canary").write_bytes(OUTSIDE.encode())
    (root / "outside" / "dir" / "canary").write_bytes(OUTSIDE.encode())
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*folders, *files, "."):
            os.utime(os.path.join(folder, name), ns=(OLD, OLD), follow_symlinks=False)
    return root


def snapshot(root, times=False):
    """{path: what is there} of everything below `root`, and with `times` when and how often it was changed."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files, "."):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            content = os.readlink(path) if kind == stat.S_IFLNK else None
            if kind == stat.S_IFREG:
                with open(path, "rb") as file:
                    content = file.read()
            details = (status.st_mtime_ns, status.st_ctime_ns, status.st_nlink, status.st_mode) if times else ()
            found[os.path.relpath(path, root)] = kind, content, *details
    return found
