"""How soft labels are written: in full as float32, or quantised to a few bits and coded against what is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flwr_chainfl.errors import ConfigError, SoftLabelError
from flwr_chainfl.labels.codec import decode, encode, pack_units, unpack_units
from flwr_chainfl.labels.consensus import validate_soft_labels
from flwr_chainfl.labels.quantization import dequantize, quantize


@dataclass(frozen=True)
class LabelFormat:
    """Soft labels as bytes, in two forms: what is hashed and stored, and what travels.

    The stored form stands for itself. The travelling form is shorter: it may need a reference, soft labels in the
    stored form that both sides have already. Nothing is lost between the two.

    tasks, classes: of the task; bits: 0 for float32, else 1 to 8 a class (1: the most probable class alone)

    Source: docs/protocols/soft-label.md, "Compression"; Sattler et al., arXiv 2012.00632.
    """

    tasks: int
    classes: int
    bits: int

    def __post_init__(self) -> None:
        if not 0 <= self.bits <= 8:
            raise ConfigError(f"bits is {self.bits}; 1 to 8 quantise the soft labels, 0 sends them as float32")

    def pack(self, soft_labels: NDArray[np.float32]) -> bytes:
        """Return soft labels in the stored form, rounded to its bits.

        soft_labels: float32 (tasks, classes), rows summing to 1

        >>> LabelFormat(1, 3, 0).pack(np.array([[0.5, 0.25, 0.25]], dtype=np.float32)).hex()
        '0000003f0000803e0000803e'
        >>> LabelFormat(1, 3, 1).pack(np.array([[0.5, 0.25, 0.25]], dtype=np.float32)).hex()
        '00'
        """
        if self.bits == 0:
            return np.ascontiguousarray(soft_labels, dtype="<f4").tobytes()
        return pack_units(quantize(soft_labels, bits=self.bits), bits=self.bits)

    def unpack(self, stored: bytes) -> NDArray[np.float32]:
        """Return float32 (tasks, classes) from the stored form.

        Raises SoftLabelError or CodecError when the bytes are no distributions over the classes for all tasks.
        """
        if self.bits:
            return dequantize(self._units(stored), bits=self.bits)
        length = 4 * self.tasks * self.classes
        if len(stored) != length:
            raise SoftLabelError(
                f"soft labels have {len(stored)} bytes; {self.tasks} public inputs and {self.classes} classes need {length}"
            )
        soft_labels = np.frombuffer(stored, dtype="<f4").reshape(self.tasks, self.classes).astype(np.float32)
        validate_soft_labels(soft_labels, tasks=self.tasks, classes=self.classes)
        return soft_labels

    def compress(self, stored: bytes, reference: bytes | None) -> bytes:
        """Return the travelling form; reference: in the stored form, None where nothing is known."""
        if self.bits == 0:
            return stored
        known = None if reference is None else self._units(reference)
        return encode(self._units(stored), bits=self.bits, reference=known)

    def expand(self, sent: bytes, reference: bytes | None) -> bytes:
        """Return the stored form of what travelled; raises CodecError when the bytes are none, or lack their reference."""
        if self.bits == 0:
            return sent
        known = None if reference is None else self._units(reference)
        units = decode(sent, tasks=self.tasks, classes=self.classes, bits=self.bits, reference=known)
        return pack_units(units, bits=self.bits)

    def _units(self, stored: bytes) -> NDArray[np.uint8]:
        return unpack_units(stored, tasks=self.tasks, classes=self.classes, bits=self.bits)
