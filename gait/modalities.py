"""What a sequence can be given as: the modalities, and what one frame of each looks like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Modality:
    """One way to describe a sequence, as an array with the frames along its first axis.

    Attributes:
        name: as in file names, and in a model's `inputs`.
        dtypes: the types an array may have, by NumPy's name; ours is the first.
        frame_shape: the shape of one frame; a letter stands for a size that is free, and is the
            same in all frames of a dataset.
        is_ragged: whether its first size is each frame's own; then a list of frames will do, too.
    """

    name: str
    dtypes: tuple[str, ...]
    frame_shape: tuple[int | str, ...]
    is_ragged: bool = False

    def fits(self, dtype: str, shape: tuple[int, ...]) -> bool:
        """Whether an array of that type and shape, frames first, may hold this modality."""
        return (
            dtype in self.dtypes
            and len(shape) == len(self.frame_shape) + 1
            and all(
                size == wanted if isinstance(wanted, int) else size > 0
                for size, wanted in zip(shape[1:], self.frame_shape, strict=True)
            )
        )

    def __str__(self) -> str:
        shape = ", ".join(map(str, ("frames", *self.frame_shape)))
        told = f"{self.name} {' or '.join(self.dtypes)} [{shape}]"
        if self.is_ragged:
            told += f" or a list of [{', '.join(map(str, self.frame_shape))}]"
        return told


SILHOUETTES = "silhouettes"
POSE = "pose"
POINTS = "points"
SKELETON_MAPS = "skeleton_maps"
RGB = "rgb"
LATENT = "latent"

# The folder of a packed store calls silhouettes so, which were there before the others.
_PACKED = {SILHOUETTES: "frames.npy"}

_REAL = ("float32", "float64", "float16")
# Joints of COCO and of OpenPose: as many triples are a figure, and no cloud of points.
_JOINTS = (17, 18)

# Letters: h height, w width, v joints, p points. A joint is x, y and its confidence; a point
# x, y and z in metres; colour channels come red, green, blue.
MODALITIES: dict[str, Modality] = {
    each.name: each
    for each in (
        Modality(SILHOUETTES, ("uint8",), ("h", "w")),
        # The figure where it is in the image, unlike aligned silhouettes.
        Modality("masks", ("uint8",), ("h", "w")),
        Modality("parsing", ("uint8",), ("h", "w")),
        Modality(POSE, _REAL, ("v", 3)),
        Modality(SKELETON_MAPS, ("uint8",), (2, "h", "w")),
        Modality("depth", ("uint8",), (3, "h", "w")),
        # How pixels move from a frame to the next, drawn in colours.
        Modality("flow", ("uint8",), (3, "h", "w")),
        Modality(RGB, ("uint8",), (3, "h", "w")),
        Modality("ratio", _REAL, ()),
        Modality("smpl", _REAL, (85,)),
        Modality(POINTS, _REAL, ("p", 3), is_ragged=True),
        Modality(LATENT, _REAL, (4, "h", "w")),
    )
}

# Silhouettes, as they lie in the image, of which nothing is made: they tell who of several people
# in a file of poses is the walker.
WALKER_SILHOUETTES = "walker_silhouettes"

# Kinds of companion files, and the modalities that each gives. An array that is there already is
# taken as it is, silhouettes as well.
ARRAYS = "pkl_"
COMPANIONS: dict[str, tuple[str, ...]] = {f"{ARRAYS}{name}": (name,) for name in MODALITIES} | {
    "parsing": ("parsing",),
    "pose_text": (POSE,),
    "pose_json": (POSE,),
    WALKER_SILHOUETTES: (),
    "smpl": ("smpl",),
    "depth": ("depth",),
    "depth_by_time": ("depth",),
    "points": (POINTS,),
    "points_by_time": (POINTS,),
    "masks_stretch": ("masks",),
    "rgb_stretch": (RGB, "ratio"),
    "rgb_trim": (RGB, "ratio"),
    "rgb_letterbox": (RGB, "ratio"),
    "video_trim": (RGB, "ratio"),
}


def fitting(dtype: str, shape: tuple[int, ...]) -> list[str]:
    """The modalities that an array of that type and shape, frames first, may hold."""
    names = [each.name for each in MODALITIES.values() if each.fits(dtype, shape)]
    if POSE in names and POINTS in names:
        names.remove(POINTS if shape[1] in _JOINTS else POSE)
    return names


def packed_name(modality: str) -> str:
    """The file of a packed store that holds a modality of all sequences."""
    return _PACKED.get(modality, f"{modality}.npy")


def offsets_name(modality: str) -> str:
    """The file beside it that says where each frame of a ragged modality begins."""
    return f"{modality}.offsets.npy"
