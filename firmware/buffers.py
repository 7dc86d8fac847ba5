"""The long buffers, made while the heap has no holes yet: `app` imports this before all else."""

RING_TRIPLES = 2048  # 0.64 s at 3,200 Hz: what the black box keeps of a trip
LINK_BYTES = 3072
WIDEBAND_LINK_BYTES = 8192  # 48 ms of its waveform
CODES_BYTES = 12288  # an analog sensor's ring of 8 kB, wherever its alignment to 4 kB puts it
BURST_BYTES = 1800  # of 256 tagged words of a wideband sensor's FIFO
RECORD_BYTES = 4096  # of the envelope, 1,024 words
TABLE_BYTES = 2560  # of cosines


def _board():
    try:
        import wrench_board
    except ImportError:
        return None  # `app.main` tells it
    return wrench_board


def _wideband():
    board = _board()
    return board is not None and board.VIBRATION_WIDEBAND


def _codes():
    board = _board()
    if board is None:
        return None
    if board.VIBRATION_WIDEBAND:
        return bytearray(BURST_BYTES)
    return bytearray(CODES_BYTES) if board.VIBRATION_BUS == "adc" else None


ring = bytearray(6 * RING_TRIPLES)
_link_bytes = WIDEBAND_LINK_BYTES if _wideband() else LINK_BYTES
link_fill = bytearray(_link_bytes)
link_send = bytearray(_link_bytes)
codes = _codes()  # what comes from the sensor before it is in the ring
record = bytearray(RECORD_BYTES if _wideband() else 0)
table = bytearray(TABLE_BYTES if _wideband() else 0)
