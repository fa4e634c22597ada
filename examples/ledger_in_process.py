"""What a study costs, written down: python examples/ledger_in_process.py

Every call is held and charged in spend.db, a ledger that survives a crash, and a budget refuses
what does not fit into it any more. `mock="on"` lets the built-in mock provider answer; leave it out
to ask those whose key is in the environment.
"""

import seekroute
from seekroute.money import usd

with seekroute.Client(mock="on", ledger="spend.db") as client:
    with client.budget("0.00001"):
        for topic in ("the tide", "a ferry", "every harbour"):
            try:
                client.ask(f"Explain {topic}.", model="openai/gpt-4o-mini", max_tokens=500)
            except seekroute.BudgetExceededError as error:
                print(f"{topic}: {error}")

    for row in client.ledger.rows():
        print(f"{row['model']}: held {usd(row['held'])}, charged {usd(row['cost'])} USD")
    print(f"{usd(client.ledger.balance('local').owed)} USD in all")
    assert client.ledger.verify()["rule"] == ""
