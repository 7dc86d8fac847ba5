"""What the black box writes, byte by byte: the one definition, which the host reads by as well.

Numbers are little-endian. The raw region (`wrench_image.RAW_START`), 64 sectors of 4,096 bytes:

    sector   0   2     5     8                              38                        64
             | S | T   | D   | slot 0 | slot 1 | ... slot 4 | E                        |
             settings
                 trips: a ring, the last 286 at least
                       directory of the captures: a ring
                             captures: five of 4,096 triples; four kept, one erased ahead
                                                            events: a ring, the last 4,025 at least

A ring is sectors in turn. The first record's place holds the sector's header, which is written once
the sector has been erased and found blank: a sector without one is not used before it has been
erased again. Records follow in pages of 256 bytes, none across two pages, the rest of a page empty.

    page 0   | header | record | record | ... (11 in a page)      |  |
    page 1   | record | record | record | ...                     |  |

A ring of S sectors with R records in each, of which `room` are kept erased, has at least
(S - 1) R - room records to read.
"""

from . import wire_format as wire

SECTOR_BYTES = 4096
PAGE_BYTES = 256

# The header of a sector: what it is, and of which ring; its number, which grows by one with every
# sector erased, so that number % sectors is its place; and a sequence that none of its records is
# below. CRC-32/ISO-HDLC.
HEADER_FORMAT = "<IBBHIII"
HEADER_BYTES = 20
HEADER_MAGIC = 0x31426257  # "WbB1"
TRIPS_RING, EVENTS_RING, DIRECTORY_RING = 1, 2, 3

# An event as it is read out.
EVENT = (
    ("sequence", "I", ""),
    ("time_us", "Q", "us since the boot"),
    ("boot", "H", ""),
    ("code", "B", "EVENTS"),
    ("detail", "B", "by code"),
    ("value", "i", "by code"),
    ("count", "H", "events in this record"),
    ("span", "H", "1.048576 s, from the first to the last of them"),
)
EVENT_FORMAT = "<IQHBBiHH"
EVENT_BYTES = 24
SPAN_US = 1 << 20

# The same in flash, 23 bytes: the low 24 bits of its sequence, the low 48 of its time (8.9 years),
# boot, code, detail and value as above, 12 bits of count and 12 of span, and the low 24 bits of the
# CRC-32/ISO-HDLC of all that.
STORED_BYTES = 23
STORED_CHECKED_BYTES = 20

# Events of the black box's own. Wall time: `value` is the seconds since 1970 as 32 bits without
# sign, `count` the milliseconds. Lost: `value` events found no room; not one of `wire.EVENTS`.
WALL_TIME = wire.EVENT_WALL_TIME
EVENTS_LOST = 254

# A page of the captures' directory: a head, int32 quantities, nothing, and the CRC-32 of the 252
# bytes before. `data_check` begins with 0 and takes each page of the waveform, the last one filled
# with 0xFF: the CRC-32 of (itself, CRC-32 of the page).
ERASING, ERASED, BEGUN, ENDED = 1, 2, 3, 4
CAPTURE = (
    ("kind", "B", ""),
    ("slot", "B", ""),
    ("boot", "H", ""),
    ("number", "I", "captures since the first"),
    ("time_us", "Q", "us since the boot"),
    ("sequence", "I", "of the trip's record"),
    ("rate_hz", "I", "Hz"),
    ("scale_ug", "I", "ug per count"),
    ("triples", "H", ""),
    ("fault", "B", "FAULTS"),
    ("quantities", "B", "how many follow"),
    ("data_check", "I", ""),
)
CAPTURE_FORMAT = "<BBHIQIIIHBBI"
CAPTURE_HEAD_BYTES = 36
CAPTURE_CHECKED_BYTES = 252
MOST_QUANTITIES = (CAPTURE_CHECKED_BYTES - CAPTURE_HEAD_BYTES) // 4
MOST_TRIPLES = 4096
TRIPLE_BYTES = 6

SETTINGS_SECTORS = 2
_TRIPS_SECTORS = 3
_DIRECTORY_SECTORS = 3
_LEAST_EVENTS_SECTORS = 3
_MOST_SLOTS = 5
_LEAST_SLOTS = 2
LEAST_SECTORS = SETTINGS_SECTORS + _TRIPS_SECTORS + _LEAST_EVENTS_SECTORS

TRIPS_ROOM = 64
DIRECTORY_ROOM = 6


def per_sector(record_bytes, sector_bytes):
    """How many records a sector of a ring holds."""
    return PAGE_BYTES // record_bytes * (sector_bytes // PAGE_BYTES) - 1


class Layout:
    """Where things are in a region of `sectors` (8 or more) of `sector_bytes`; a small region has
    no captures.
    """

    def __init__(self, sectors, sector_bytes=SECTOR_BYTES):
        if sectors < LEAST_SECTORS:
            raise ValueError("a black box needs 8 sectors")
        self.sectors = sectors
        self.sector_bytes = sector_bytes
        self.slot_sectors = (MOST_TRIPLES * TRIPLE_BYTES + sector_bytes - 1) // sector_bytes
        left = sectors - LEAST_SECTORS - _DIRECTORY_SECTORS
        # Events get at least as much as two thirds of what the captures get.
        slots = min(_MOST_SLOTS, left * 3 // (self.slot_sectors * 5))
        self.slots = slots if slots >= _LEAST_SLOTS else 0
        self.trips = SETTINGS_SECTORS
        self.trips_sectors = _TRIPS_SECTORS
        self.directory = self.trips + self.trips_sectors
        self.directory_sectors = _DIRECTORY_SECTORS if self.slots else 0
        self.captures = self.directory + self.directory_sectors
        self.events = self.captures + self.slots * self.slot_sectors
        self.events_sectors = sectors - self.events
        records = per_sector(STORED_BYTES, sector_bytes)
        # Two sectors erased ahead, where there are enough.
        self.events_room = min(2, self.events_sectors - 2) * records
        self.events_kept = (self.events_sectors - 1) * records - self.events_room
        self.trips_kept = (self.trips_sectors - 1) * records - TRIPS_ROOM

    def slot_sector(self, slot):
        """The first sector of a capture's slot."""
        return self.captures + slot * self.slot_sectors
