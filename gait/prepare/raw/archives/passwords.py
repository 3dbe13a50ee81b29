"""Passwords of archives, from files beside them: never from a command line, never in a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError
from gait.limits import HEADER_BYTES
from gait.prepare.raw.archives.part import Part

_SUFFIX = ".password"
_SHARED = "password.txt"


@dataclass(frozen=True, slots=True)
class Password:
    """A password and where it is written.

    Attributes:
        file: the file it was read from, for messages.
        text: the password, which no representation shows.
    """

    file: Path
    text: str = field(repr=False)


def is_password_file(name: str) -> bool:
    """Whether a file of this name gives the password of an archive."""
    return name == _SHARED or name.endswith(_SUFFIX)


def password_of(part: Part) -> Password:
    """The password of an encrypted archive: what `<archive name>.password` holds, or else
    `password.txt`, both beside it; without white space around it.

    An archive inside another one has the password of the outermost one.

    Raises:
        DataError: neither file is there, or it is empty or cannot be read.
    """
    archive = part.path
    files = archive.with_name(archive.name + _SUFFIX), archive.with_name(_SHARED)
    for file in files:
        if not file.exists():
            continue
        try:
            # What is no ordinary file may have no end.
            if file.is_file():
                HEADER_BYTES.check(file.stat().st_size, file, "a password")
                text = file.read_text(encoding="utf-8-sig").strip()
            else:
                raise IsADirectoryError(None, "it is no file")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise DataError(
                f"{file}: expected the password of {archive.name}, but it cannot be read "
                f"({reason}); write it there as plain text"
            ) from None
        if text:
            return Password(file, text)
        raise DataError(
            f"{file}: expected the password of {archive.name}, got an empty file; write there "
            "what the data's owner gave you"
        )
    what = "it" if str(part) == str(archive) else archive.name
    raise DataError(
        f"{part}: is encrypted, and neither {files[0].name} nor {files[1].name} lies beside "
        f"{what}; write the password that the data's owner gave you into one of these files"
    )


def wrong_password(part: Part, password: Password) -> DataError:
    """The error of an archive that does not open with its password."""
    return DataError(
        f"{part}: does not open with the password in {password.file.name}; correct it there, "
        "or get the archive again if it is damaged"
    )
