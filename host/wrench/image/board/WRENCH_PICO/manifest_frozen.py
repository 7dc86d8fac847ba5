# ruff: noqa: F821
include("$(BOARD_DIR)/manifest_common.py")
freeze("$(BOARD_DIR)/kinds/frozen")
# The build puts a copy of the firmware here.
package("wrench_firmware", base_path="$(BOARD_DIR)/firmware")
