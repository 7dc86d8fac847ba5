"""What a board's outside has seen of it, kept for when a test fails: `timeline` keeps the last
seconds, `excerpt` is what is taken out of it, `vcd`, `picture`, `words` and `page` show it.

Nothing here knows a firmware or a machine but `wired_board`, which names a board file's pins and
reads what goes over its link.
"""
