"""`wrench demo`: the whole path once, on an emulated board, in under a minute.

::

    setup (image, board, flash, greeting) -> story (the run) -> record -> summary
                                               |
                                               +-> screen | plain (what a person sees meanwhile)

`story` and `record` print nothing; `picture` makes the README's picture from a run of its own.
"""
