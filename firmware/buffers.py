"""The long buffers, made while the heap has no holes yet: `app` imports this before all else."""

RING_TRIPLES = 2048  # 0.64 s at 3,200 Hz: what the black box keeps of a trip
LINK_BYTES = 3072

ring = bytearray(6 * RING_TRIPLES)
link_fill = bytearray(LINK_BYTES)
link_send = bytearray(LINK_BYTES)
