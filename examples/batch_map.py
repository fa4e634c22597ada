"""Many prompts at once: in order, within a price, and resumable.

`python examples/batch_map.py` needs no key: a built-in provider answers. Run it twice: the second
run takes every answer from `batch_map.jsonl`.
"""

import seekroute

WORDS = ["lighthouse", "harbour", "anchor", "compass", "tide"]

with seekroute.Client(mock="on") as client:
    results = client.map(
        (f"Explain the word {word!r} to a child." for word in WORDS),
        model="openai/gpt-4o-mini",
        system="One sentence.",
        max_tokens=60,
        concurrency=4,
        max_cost="0.05",
        checkpoint="batch_map.jsonl",
        progress=False,
    )
    for word, text in zip(WORDS, results.texts, strict=True):
        print(f"{word}: {text}")
    print(f"{results.restored} from the checkpoint, {results.spent} USD spent")
    print(results.summary())

    with client.budget("0.01") as budget:
        print(client.compare("Name a colour.", models=["openai/gpt-4o-mini", "openai/gpt-4o"]))
    print(f"the comparison cost {budget.spent} USD")
    print(client.usage())
