"""The constants that no board file and no host can lift. Pure numbers: the host's board check reads
them too.
"""

# The motor is never driven above this fraction of its rated speed (of its duty where there is no
# tacho).
HARD_CAP_PERMILLE = 850
