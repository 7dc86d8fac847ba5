"""Stories of a board under test, the same on the virtual bench and on a real rig."""
