"""The gateway inside a FastAPI application, at /llm: uvicorn mount_in_fastapi:app

Organizations and keys live in ./seekroute-data; make a key with `seekroute keys create`.
"""

import os

from fastapi import FastAPI

import seekroute

gateway = seekroute.create_app(data_dir=os.environ.get("SEEKROUTE_DATA_DIR", "seekroute-data"))
app = FastAPI()
app.mount("/llm", gateway)


@app.get("/")
def home() -> dict[str, str]:
    """Anything else of yours."""
    return {"chat": "/llm/v1/chat/completions"}
