"""The long buffers, made while the heap has no holes yet: `app` imports this before all else."""

RING_TRIPLES = 2048  # 0.64 s at 3,200 Hz: what the black box keeps of a trip
LINK_BYTES = 3072
CODES_BYTES = 12288  # an analog sensor's ring of 8 kB, wherever its alignment to 4 kB puts it

ring = bytearray(6 * RING_TRIPLES)
link_fill = bytearray(LINK_BYTES)
link_send = bytearray(LINK_BYTES)


def _codes():
    try:
        import wrench_board as board
    except ImportError:
        return None  # `app.main` tells it
    return bytearray(CODES_BYTES) if board.VIBRATION_BUS == "adc" else None


codes = _codes()
