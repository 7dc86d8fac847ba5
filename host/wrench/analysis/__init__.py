"""Signal processing of vibration: what a report shows, as numbers."""
