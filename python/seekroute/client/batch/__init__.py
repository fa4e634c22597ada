"""Many prompts at once: `map`, within a price and resumable, and `compare`.

`run` is the body of its loop, without threads; `map` turns it, from the caller's thread or on an
event loop. `results` and `compare` have what comes out.
"""
