"""The constants that no board file and no host can lift. Pure numbers: the host's board check reads
them too.
"""

# The motor is never driven above this fraction of its rated speed (of its duty where there is no
# tacho).
HARD_CAP_PERMILLE = 850

# How far a local act at the board may move a protective level away from the board file's, in 1/1000
# of it. What is not here does not move in that direction at all.
#
# Vibration, peak, crest, envelope: the zone boundaries of ISO 20816 are a factor of 2.5 apart, so
# that twice stays short of the next.
MOST_VIBRATION_PERMILLE = 2000
# Heat grows with the square of the current: 1.25 times is 1.56 times the heat.
MOST_CURRENT_PERMILLE = 1250
# A supply's capacitors and transistors are rated 1.2 times what they are used at, and more.
MOST_SUPPLY_PERMILLE = 1100
LEAST_SUPPLY_PERMILLE = 800

# And what no level may pass. C/D of class IV of legacy ISO 10816-1: large machines on soft ground.
MOST_VELOCITY_UM_S = 18000
# Greases of ball bearings are given 110 to 120 degC, and the steel loses its temper at 120.
MOST_BEARING_MDEGC = 120000
# A driver's case; its junction is some 30 K above, and rated 150.
MOST_DRIVER_MDEGC = 110000
