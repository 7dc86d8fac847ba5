KIND = "wrench"
