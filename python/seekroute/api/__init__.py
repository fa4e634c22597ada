"""What a gateway answers besides inference, without HTTP: asked with values, answered with values.

`table` is the one list of routes. The server, the client of a gateway in its own process, the
OpenAPI document and the table in docs/http-api.md are made from it. `models`, `account`, `keys` and
`receipts` answer; `call` has what they are asked with.

Nothing here imports the schemas of the configuration, a web framework or a client: a process that
only serves needs none of them.
"""
