"""A port whose far end says what a test puts there."""


class Wire:
    """Each request is answered with the next of the replies.

    Attributes:
        sent: Every request that came.
    """

    timeout = 0.01  # [s]

    def __init__(self, *replies: bytes) -> None:
        self.sent: list[bytes] = []
        self._replies, self._waiting = list(replies), b''

    def flush_input(self) -> None:
        self._waiting = b''

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        self._waiting += self._replies.pop(0) if self._replies else b''

    def read_some(self, size: int) -> bytes:
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data


class NoiseWithoutEnd(Wire):
    """Bytes of noise come for as long as somebody reads."""

    def read_some(self, size: int) -> bytes:
        return b'\x55' * size
