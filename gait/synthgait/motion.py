"""A walker's manner of walking: joint angles over the cycle, posture, pace and asymmetries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from gait.synthgait.traits import Floats, Trait, draw_person

Complexes = NDArray[np.complex128]
HARMONICS = 6

# Sagittal angles of healthy adults in degrees, every 5 % of the cycle from heel strike, rounded
# from the mean curves in Kadaba, Ramakrishnan & Wootten, Measurement of lower extremity kinematics
# during level walking, J. Orthop. Res. 1990. Flexion is positive. The thigh is taken against the
# vertical: hip flexion less the pelvis' tilt.
_THIGH = (22, 20, 17, 13, 8, 3, -2, -7, -12, -16, -19, -18, -12, -3, 6, 14, 20, 24, 25, 24)
_KNEE = (5, 11, 16, 18, 16, 12, 8, 5, 4, 6, 11, 21, 35, 50, 59, 60, 51, 35, 17, 6)
_ANKLE = (0, -4, -5, -1, 3, 5, 7, 9, 10, 11, 8, 0, -12, -18, -12, -5, -1, 1, 2, 1)


def _series(samples: tuple[int, ...]) -> Complexes:
    """Coefficients c of the real part of sum c[k] exp(i k phase), in radians."""
    coefficients = np.fft.rfft(np.radians(samples))[: HARMONICS + 1] / len(samples)
    coefficients[1:] *= 2.0
    return coefficients


_CURVES = np.stack([_series(samples) for samples in (_THIGH, _KNEE, _ANKLE)])


@dataclass(frozen=True, slots=True)
class Motion:
    """How a walker moves. Angles in degrees, phases in radians of the cycle.

    Attributes:
        curves: the walker's own departure from the mean hip, knee and ankle curves, left and
            right: complex coefficients [2, 3, harmonics + 1] in radians.
    """

    cadence_hz: Annotated[Floats, Trait(0.95, 0.070, 0.022, low=0.76, high=1.16)]

    hip_swing: Annotated[Floats, Trait(1.0, 0.110, 0.030, asymmetry=0.025, low=0.65, high=1.35)]
    hip_offset: Annotated[Floats, Trait(0.0, 2.5, 0.9, asymmetry=0.6)]
    hip_phase: Annotated[Floats, Trait(0.0, 0.05, 0.015, asymmetry=0.02)]
    knee_swing: Annotated[Floats, Trait(1.0, 0.110, 0.030, asymmetry=0.030, low=0.60, high=1.35)]
    knee_offset: Annotated[Floats, Trait(2.0, 3.0, 0.9, asymmetry=0.8)]
    knee_phase: Annotated[Floats, Trait(0.0, 0.08, 0.020, asymmetry=0.03)]
    ankle_swing: Annotated[Floats, Trait(1.0, 0.20, 0.05, asymmetry=0.06, low=0.4, high=1.6)]
    toe_out: Annotated[Floats, Trait(7.0, 5.0, 1.2, asymmetry=2.0)]
    valgus: Annotated[Floats, Trait(0.0, 2.2, 0.4, asymmetry=0.6)]
    step_width_m: Annotated[Floats, Trait(0.10, 0.035, 0.012, low=0.02, high=0.22)]

    arm_swing: Annotated[Floats, Trait(19.0, 7.5, 2.0, asymmetry=2.5, low=3.0, high=40.0)]
    arm_offset: Annotated[Floats, Trait(0.0, 4.0, 1.2, asymmetry=1.5)]
    arm_phase: Annotated[Floats, Trait(0.0, 0.18, 0.05, asymmetry=0.08)]
    arm_out: Annotated[Floats, Trait(8.0, 3.2, 0.9, asymmetry=1.0, low=1.0, high=20.0)]
    elbow: Annotated[Floats, Trait(19.0, 9.0, 2.0, asymmetry=2.5, low=4.0, high=55.0)]
    elbow_swing: Annotated[Floats, Trait(9.0, 4.5, 1.2, asymmetry=1.2, low=0.0, high=24.0)]
    elbow_in: Annotated[Floats, Trait(12.0, 8.0, 1.5, asymmetry=2.0)]

    lean: Annotated[Floats, Trait(4.0, 3.2, 1.1, low=-4.0, high=14.0)]
    lean_swing: Annotated[Floats, Trait(1.5, 0.7, 0.2, low=0.0)]
    sway: Annotated[Floats, Trait(2.0, 1.3, 0.3, low=-1.0, high=6.0)]
    sway_m: Annotated[Floats, Trait(0.018, 0.008, 0.002, low=0.0)]
    pelvis_turn: Annotated[Floats, Trait(6.0, 2.8, 0.7, low=0.0, high=14.0)]
    pelvis_drop: Annotated[Floats, Trait(3.5, 1.6, 0.4, low=0.0, high=8.0)]
    chest_turn: Annotated[Floats, Trait(5.5, 2.6, 0.7, low=0.0, high=14.0)]
    neck_forward: Annotated[Floats, Trait(20.0, 7.5, 1.5, low=0.0, high=42.0)]
    head_pitch: Annotated[Floats, Trait(2.0, 5.5, 2.0, low=-12.0, high=18.0)]
    nod: Annotated[Floats, Trait(1.2, 0.7, 0.2, low=0.0)]

    curves: Complexes

    def leg_angles(self, phase: Floats) -> Floats:
        """Hip, knee and ankle flexion in radians, [..., 2 sides, 3], at the left leg's phase."""
        count = np.arange(HARMONICS + 1)
        swing = np.stack([self.hip_swing, self.knee_swing, self.ankle_swing], axis=1)
        lag = np.stack([self.hip_phase, self.knee_phase, self.knee_phase], axis=1)
        own = (_CURVES + self.curves) * np.exp(1j * count * lag[..., None])
        own[..., 1:] *= swing[..., None]
        turn = np.exp(1j * count * _both_sides(phase)[..., None])
        angles: Floats = np.einsum("...fk,fjk->...fj", turn, own).real
        angles[..., 0] += np.radians(self.hip_offset)
        angles[..., 1] = np.maximum(angles[..., 1] + np.radians(self.knee_offset), 0.0)
        return angles

    def arm_angles(self, phase: Floats) -> Floats:
        """Shoulder and elbow flexion in radians, [..., 2 sides, 2]; arms swing against legs."""
        forward = -np.cos(_both_sides(phase) + self.arm_phase)
        shoulder = self.arm_offset + self.arm_swing * forward
        elbow = self.elbow + self.elbow_swing * forward
        angles: Floats = np.radians(np.stack([shoulder, np.maximum(elbow, 2.0)], axis=-1))
        return angles


def draw_motion(rng: np.random.Generator) -> Motion:
    """A new walker's manner of walking."""
    spread = np.radians(1.3) / np.sqrt(2.0)
    own = rng.standard_normal((2, 3, HARMONICS + 1)) + 1j * rng.standard_normal(
        (2, 3, HARMONICS + 1)
    )
    # The two sides of a person are alike.
    own = spread * (0.9 * own[:1] + 0.35 * own)
    own[..., 0] = 0.0
    own[..., 4:] = 0.0
    return draw_person(Motion, rng, curves=own)


def _both_sides(phase: Floats) -> Floats:
    """The phase of the left and the right leg, [..., 2]."""
    return np.stack([phase, phase + np.pi], axis=-1)
