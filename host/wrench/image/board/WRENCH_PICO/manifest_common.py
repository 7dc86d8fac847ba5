# ruff: noqa: F821
# The stock modules without the stock _boot.py, which reformats a filesystem that leaves a tail.
module("rp2.py", base_path="$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
freeze("$(BOARD_DIR)/modules")
