"""SciPy's Fourier transforms with their types told, which SciPy leaves open."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import fft

from wrench.analysis.measurement import FloatArray

ComplexArray: TypeAlias = npt.NDArray[np.complex128]


def fast_length(count: int, *, real: bool = False) -> int:
    """The least length from `count` on that is quick to transform."""
    found: Any = fft.next_fast_len(count, real=real)
    return int(found)


def forward(values: FloatArray, length: int) -> ComplexArray:
    """Of real values (…, n), cut or padded with zeros to `length`: the half spectrum."""
    return np.asarray(fft.rfft(values, length, axis=-1))


def backward(spectrum: ComplexArray, length: int) -> ComplexArray:
    """The complex signal of a spectrum (m,), padded with zeros to `length`."""
    return np.asarray(fft.ifft(spectrum, length))


def frequencies(length: int, rate: float) -> FloatArray:
    """Of the lines of a half spectrum."""
    return np.asarray(fft.rfftfreq(length, 1.0 / rate), dtype=np.float64)
