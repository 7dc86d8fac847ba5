"""Which parts to buy first: a list of parts, what their failures cost, and the best that a budget
buys.

`read` makes a `parts.PartsList` of a CSV file, `risk` turns it into expected losses, `choose` finds
the best choice and proves it, `result` says why, and `figure` draws it.
"""
