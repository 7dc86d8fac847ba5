KIND: str
RAW_START: int
RAW_LEN: int
formatted: bool
