"""Which 32 bytes are an Ed25519 public key that only its owner can sign for (RFC 8032 §5.1).

Libraries accept points of small order, for which anyone finds a signature within a few tries: a key file of zeros is
such a point. Its y coordinate alone tells: 1 and -1 have order 1 and 2, 0 has order 4, and a point has order 8
when its double has y = 0, that is y² = -x², with x from the curve's equation: d·y⁴ + 2y² - 1 = 0.
"""

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point: S of a signature is below it, else the signature was altered."""

_D = -121665 * pow(121666, -1, FIELD) % FIELD


def point_fault(point: bytes) -> str | None:
    """Say what is wrong with a public key of 32 bytes, or None."""
    y = int.from_bytes(point, "little") & ((1 << 255) - 1)
    if y >= FIELD:
        return "is not in canonical form"
    if y in (0, 1, FIELD - 1) or (_D * pow(y, 4, FIELD) + 2 * y * y - 1) % FIELD == 0:
        return "is of small order: anyone can sign for it"
    return None if _is_square((y * y - 1) * pow(_D * y * y + 1, -1, FIELD)) else "is not on the curve"


def _is_square(number: int) -> bool:
    return pow(number, (FIELD - 1) // 2, FIELD) == 1
