"""Where requests go: a gateway in this process (`local`) or one at a URL (`remote`).

`backend` is what both are to the rest of the client.
"""
