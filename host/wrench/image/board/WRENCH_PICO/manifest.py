# ruff: noqa: F821
include("$(BOARD_DIR)/manifest_common.py")
freeze("$(BOARD_DIR)/kinds/plain")
