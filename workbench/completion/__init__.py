"""Layer 9: what an editor offers and explains inside a cell, also while the cell is unfinished.

`reading` reads the text, `places` completes, `steps` completes schedules, `explain` explains,
`attach` joins all of it to IPython. Nothing here compiles what is shown or runs anything.
"""
