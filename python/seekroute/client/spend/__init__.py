"""What requests cost: said before (`quotes`, `prices`), capped (`budget`), counted (`rollup`).

`metering` wraps a backend, so that nothing is asked without being counted.
"""
