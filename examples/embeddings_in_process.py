"""Find the notes that are nearest to a question, without a server: embeddings_in_process.py

`mock="on"` lets the built-in mock provider give the vectors, which are near where texts share
words; leave it out to ask those whose key is in the environment. Needs NumPy.
"""

import seekroute

NOTES = [
    "The ferry to the island leaves at seven.",
    "Bread needs flour, water, salt and time.",
    "The last ferry back leaves the island at nine.",
]
MODEL = "openai/text-embedding-3-small"

with seekroute.Client(mock="on") as client:
    notes = client.embeddings.create(model=MODEL, input=NOTES)
    question = client.embeddings.create(model=MODEL, input="When is the last ferry?")
    # The vectors are of length 1, so that their product is their cosine.
    likeness = notes.numpy() @ question.numpy()[0]
    for place in likeness.argsort()[::-1]:
        print(f"{likeness[place]:.2f} {NOTES[place]}")
    print(f"{client.spend} USD for {notes.usage.total_tokens + question.usage.total_tokens} tokens")
