"""The path_ calls. Each takes the Guest, then the call's unsigned arguments.

All go through `paths.Resolution`: a folder and one name in it are what the folder's methods are given.
"""
from . import abi
from .abi import EINVAL, EISDIR, ENOTCAPABLE, EPERM, FILESTAT, LOOKUP_SYMLINK_FOLLOW
from .calls import Failure
from .descriptor_calls import chosen_times
from .guest import number, span, word
from .paths import Resolution

_NEVER = None       # links at the end are not followed even before a slash


def _start(guest, fd, right, path, length, changes):
    """Folder and path of a guest's arguments. Raises Failure: as `DescriptorTable.with_right` and `Guest.path` do, EPERM
    if the call `changes` something and the directory may only be read."""
    path = guest.path(path, length)
    folder = guest.descriptors.with_right(fd, right).folder
    if changes and not folder.writable:
        raise Failure(EPERM)
    return folder, path


def _resolve(guest, fd, right, path, length, follow, changes):
    """The Resolution of a guest's path."""
    return Resolution(*_start(guest, fd, right, path, length, changes), follow)


def _follows(lookupflags):
    if lookupflags & ~LOOKUP_SYMLINK_FOLLOW:
        raise Failure(EINVAL)
    return bool(lookupflags & LOOKUP_SYMLINK_FOLLOW)


def path_create_directory(guest, fd, path, length):
    """Create a directory."""
    place = _resolve(guest, fd, abi.RIGHT_PATH_CREATE_DIRECTORY, path, length, _NEVER, True)
    place.folder.mkdir(place.name)


def path_filestat_get(guest, fd, lookupflags, path, length, stat, layout=FILESTAT):
    """Store the attributes of a file."""
    result = guest.span(stat, layout.size)
    place = _resolve(guest, fd, abi.RIGHT_PATH_FILESTAT_GET, path, length, _follows(lookupflags), False)
    result[:] = layout.pack(*(place.check() or place.folder.stat(place.name)))


def path_filestat_set_times(guest, fd, lookupflags, path, length, atim, mtim, flags):
    """Set a file's times."""
    place = _resolve(guest, fd, abi.RIGHT_PATH_FILESTAT_SET_TIMES, path, length, _follows(lookupflags), True)
    stat = place.check() or place.folder.stat(place.name)
    place.folder.set_times(place.name, *chosen_times(stat, atim, mtim, flags))


def path_link(guest, old_fd, old_lookupflags, old_path, old_length, new_fd, new_path, new_length):
    """Create a hard link. As in wasmtime, a symbolic link is not followed and must not be asked to be."""
    if old_lookupflags:
        raise Failure(EINVAL)
    source = _start(guest, old_fd, abi.RIGHT_PATH_LINK_SOURCE, old_path, old_length, True)
    target = _start(guest, new_fd, abi.RIGHT_PATH_LINK_TARGET, new_path, new_length, True)
    old, new = Resolution(*source), Resolution(*target)
    old.check()
    new.check()
    old.folder.link(old.name, new.folder, new.name)


def path_open(guest, fd, lookupflags, path, length, oflags, rights, inheriting, fdflags, opened):
    """Open or create a file, or open a directory, with those of the `rights` that apply to it."""
    result = number(memoryview(guest.memory), opened)
    rights, inheriting = rights & abi.ALL_RIGHTS, inheriting & abi.ALL_RIGHTS
    creates, truncates = oflags & abi.OFLAGS_CREAT, oflags & abi.OFLAGS_TRUNC
    if oflags & ~abi.ALL_OFLAGS or fdflags & ~abi.ALL_FDFLAGS or (
            oflags & abi.OFLAGS_DIRECTORY and (creates or truncates)):
        raise Failure(EINVAL)
    changes = bool(creates or truncates or rights & abi.RIGHT_FD_WRITE)
    follow = _NEVER if creates and oflags & abi.OFLAGS_EXCL else _follows(lookupflags)
    place = _resolve(guest, fd, _rights_to_open(oflags), path, length, follow, changes)
    if (rights | inheriting) & ~guest.descriptors[fd].inheriting:
        raise Failure(ENOTCAPABLE)
    if place.directory:
        if creates:
            raise Failure(EISDIR)
        oflags |= abi.OFLAGS_DIRECTORY
    descriptor = place.folder.open(place.name, oflags, rights, inheriting, fdflags)
    result[:] = word(guest.descriptors.add(descriptor))


def _rights_to_open(oflags):
    rights = abi.RIGHT_PATH_OPEN
    if oflags & abi.OFLAGS_CREAT:
        rights |= abi.RIGHT_PATH_CREATE_FILE
    if oflags & abi.OFLAGS_TRUNC:
        rights |= abi.RIGHT_PATH_FILESTAT_SET_SIZE
    return rights


def path_readlink(guest, fd, path, length, buffer, size, used):
    """Store the text of a symbolic link, or as much of it as there is room for. As in wasmtime, Failure(EPERM) for an
    absolute one, which leads out."""
    view = memoryview(guest.memory)
    result, room = number(view, used), span(view, buffer, size)
    place = _resolve(guest, fd, abi.RIGHT_PATH_READLINK, path, length, False, False)
    place.check()
    target = place.folder.readlink(place.name)
    if target.startswith(b"/"):
        raise Failure(EPERM)
    target = target[:size]
    room[:len(target)] = target
    result[:] = word(len(target))


def path_remove_directory(guest, fd, path, length):
    """Remove an empty directory."""
    place = _resolve(guest, fd, abi.RIGHT_PATH_REMOVE_DIRECTORY, path, length, _NEVER, True)
    place.folder.rmdir(place.name)


def path_rename(guest, fd, old_path, old_length, new_fd, new_path, new_length):
    """Move a file or directory, in the place of what is there."""
    source = _start(guest, fd, abi.RIGHT_PATH_RENAME_SOURCE, old_path, old_length, True)
    target = _start(guest, new_fd, abi.RIGHT_PATH_RENAME_TARGET, new_path, new_length, True)
    old, new = Resolution(*source, _NEVER), Resolution(*target, _NEVER)
    old.directory = old.directory or new.directory
    old.check()
    old.folder.rename(old.name, new.folder, new.name)


def path_symlink(guest, old_path, old_length, fd, new_path, new_length):
    """Create a symbolic link to a path, which need not exist. Failure(EPERM) for an absolute one, which leads out."""
    target = guest.path(old_path, old_length)
    place = _resolve(guest, fd, abi.RIGHT_PATH_SYMLINK, new_path, new_length, False, True)
    if target.startswith(b"/"):
        raise Failure(EPERM)
    place.check()
    place.folder.symlink(target, place.name)


def path_unlink_file(guest, fd, path, length):
    """Remove anything but a directory."""
    place = _resolve(guest, fd, abi.RIGHT_PATH_UNLINK_FILE, path, length, False, True)
    place.check()
    place.folder.unlink(place.name)


CALLS = (
    path_create_directory, path_filestat_get, path_filestat_set_times, path_link, path_open, path_readlink,
    path_remove_directory, path_rename, path_symlink, path_unlink_file)
