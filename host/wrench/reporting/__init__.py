"""Reports: what the analysis has found, as figures and documents."""
