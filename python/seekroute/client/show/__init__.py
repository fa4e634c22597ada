"""What notebooks and terminals show: `display` makes it, `live` and `notebook` bring it.

Results draw themselves with `table`, `text_columns` and `plots`. These know nothing of the client
and lie below all of it; the others lie above.
"""
