"""What to do with files of formats that nothing here reads, told by their suffixes."""

from __future__ import annotations

_IMAGES = "convert them to png, for instance by `mogrify -format png` of ImageMagick"
_VIDEOS = "convert them to mp4, for instance by `ffmpeg -i <file> <name>.mp4`"
_ARCHIVES = "unpack them there, or pack what is in them again as zip, 7z, tar or tar.gz"

_REMEDIES = {
    "images": (_IMAGES, "tif tiff gif webp pgm pbm ppm pnm tga jp2 heic avif dng"),
    "videos": (_VIDEOS, "wmv flv mpg mpeg m4v ts mts m2ts 3gp ogv vob mxf"),
    "archives": (_ARCHIVES, "rar xz txz bz2 tbz2 zst tzst lzma lz4 ace arj cab iso"),
}
_BY_SUFFIX = {
    f".{suffix}": (what, remedy)
    for what, (remedy, suffixes) in _REMEDIES.items()
    for suffix in suffixes.split()
}


def unread_format(suffix: str) -> tuple[str, str] | None:
    """What files of a suffix are, and how they can be used; None where they are nothing.

    Args:
        suffix: in lower case, with its dot.

    Returns:
        'images', 'videos' or 'archives', and what to do.
    """
    return _BY_SUFFIX.get(suffix)
