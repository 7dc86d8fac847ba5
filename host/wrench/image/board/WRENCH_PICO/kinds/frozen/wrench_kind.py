KIND = "wrench-frozen"
