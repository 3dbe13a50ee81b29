"""What cannot be scored is said before training, from the packed store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gait.config.dataset import Dataset
from gait.engine.outlook import outlook
from gait.errors import DataError
from gait.types import SequenceKey
from tests.unit.packed import *  # noqa: F403
from tests.unit.scores import CONDITIONS, SUBJECTS, an_experiment
