"""The C++ core. Private: use `seekroute.Client` or `seekroute.create_app`."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

from seekroute.control import CoreKey
from seekroute.rate_limits import Limits

__version__: Final[str]

Headers: TypeAlias = list[tuple[bytes, bytes]]

class CoreError(Exception):
    """What the core refuses, or cannot do. `code` is the wire's word; `retry_after_ms` is 0 where
    nobody knows when it may be possible again."""

    code: str
    message: str
    retry_after_ms: int

@final
class Record:
    """How one exchange ended; the source of its log line."""

    @property
    def generation_id(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def org_id(self) -> str: ...
    @property
    def requested_model(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def finish_reason(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def tried(self) -> list[tuple[str, int, str, float, str]]:
        """One (provider, status, error, waited ms, words) an attempt; status 0: no answer. The
        words are the provider's about its failure, sanitised: for the operator alone."""
    @property
    def streamed(self) -> bool: ...
    @property
    def estimated(self) -> bool: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def reasoning_tokens(self) -> int: ...
    @property
    def cache_write_tokens(self) -> int: ...
    @property
    def usage_odd(self) -> bool:
        """The provider's counts contradict one another; what did not fit was not charged."""

    @property
    def cap_ignored(self) -> bool:
        """The provider went on far beyond the length that it was told."""

    @property
    def service_tier(self) -> str:
        """As the answer names it; empty when it does not."""

    @property
    def price_revision(self) -> str:
        """Of the price table that was in force when the exchange began."""

    @property
    def settlement(self) -> str:
        """How the charge was found: exact, estimated, partial, cancelled, failed or free."""

    @property
    def held_nano(self) -> int:
        """Set aside before the request was sent; 0 without credits."""

    @property
    def cost_nano(self) -> int: ...
    @property
    def upstream_cost_nano(self) -> int:
        """What the provider charges: the cost without the operator's markup."""

    @property
    def suspected_nano(self) -> int:
        """What providers may charge for attempts that failed: an estimate, in no other figure."""

    @property
    def created(self) -> int: ...
    @property
    def total_ms(self) -> float: ...
    @property
    def limit(self) -> str:
        """The limit that refused it, as a JSON object; empty when none did."""

    @property
    def availability(self) -> str:
        """Who was left out of a request that nobody could serve, as its error tells it: JSON, or
        empty."""
    @property
    def queued_ms(self) -> float:
        """How long it waited for room in its limits."""

    @property
    def first_content_ms(self) -> float: ...
    @property
    def overhead_ms(self) -> float: ...

# One batch entry: exchange id, (status, headers) once, body bytes, the record once at the end.
Event: TypeAlias = tuple[int, tuple[int, Headers] | None, bytes, Record | None]

# Id of the generation, first and second model, body, first answer (JSON or a stream), second answer
# (JSON), chance of the second model given the first, status of the second answer (200: no error).
ShadowPair: TypeAlias = tuple[str, tuple[str, str], bytes, bytes, bytes, float, int]

# Ranks and qualities (texts, models), members and leads (texts, models, 3) and priors (texts) as
# float32; nanoseconds (texts) as int64.
Scores: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes]

@final
class RequestBody:
    """A request's body as it arrives. Empty again once it was submitted."""

    def __init__(self, size: int) -> None: ...
    def append(self, part: bytes) -> None: ...
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class Gateway:
    """Engine threads, keys, the snapshot and the mailbox. Every method is thread-safe."""

    def __init__(self, options: dict[str, Any], ledger: LedgerFile | None = None) -> None:
        """`ledger` is where money is held if the option `credits` is true; close it afterwards."""

    def install(self, snapshot: dict[str, Any]) -> None: ...
    def set_auto(self, router: dict[str, Any] | None) -> None:
        """What chooses for `auto` from now on, as the snapshot's `auto`; all else of it stays.
        ValueError where it is refused."""

    def take_decisions(self) -> list[dict[str, Any]]:
        """What `auto` chose for requests that have ended with an answer, each once, where `learn`
        is set: `generation`, `key`, `org`, `created` (Unix seconds), `strategy`, `revision`,
        `offers` (model, quality, pico-USD, ms or 0, whether it is a last resort, chance to be the
        first; the chosen one first), `served` (model), `finish_reason`, `empty`, and `excerpt`,
        what is looked at of the prompt. At most 4,096 are kept until they are taken."""

    def put_keys(
        self,
        keys: Sequence[CoreKey],
        limits_of: Callable[[CoreKey], Limits],
        *,
        stand_ins: bool,
    ) -> list[int]:
        """ValueError for what does not fit; the keys before it are put.

        `limits_of` says what holds for a key, see `set_limits`: it is asked once for all keys of
        one profile that have the same limits of their own. `stand_ins`: whether our own mock
        answers, which charges nobody who `has_paid`. Returns the places of those that now have a
        limit of a day, and had none."""

    def remove_key(self, mac: bytes) -> None: ...
    def set_limits(self, scope: str, id: str, limits: dict[str, int | None] | None) -> None:
        """From now on, of an "org", an "app", a "model" or, with the id "", the "gateway".

        Any of requests_per_minute, tokens_per_minute, requests_per_day, tokens_per_day, concurrent
        (0: nothing is served), burst_requests, burst_tokens (at once, of those of a minute),
        queue_ms (how long a request waits for room), queue_weight (turns for one of another),
        hedge (whether slow streams are asked for at a second provider, too), and count_cached:
        whether tokens that a provider has read from its cache are counted. None, and what is
        absent, is unlimited, or as the options say. What was used stays used. ValueError for
        another name, or a figure out of its range.
        """

    def find_key(self, authorization: bytes | None) -> tuple[str, str, str]:
        """(key id, organization id, profile) of a usable key.

        Raises CoreError with the words in which a chat completion is refused for another one.
        """

    def raise_today(self, scope: str, org: str, id: str, requests: int, tokens: int) -> None:
        """What a "key", an "app" or an "org" has used today at least: limits of a day that are new
        go on from there. Of an app or an organization without limits it does nothing. ValueError
        for another scope.

        Args:
            org: the id of the organization whose the key or the app is, or which is meant.
        """

    def limit_headers(self, authorization: bytes | None) -> Headers:
        """What tells what is left of the limits of that key; empty: there is no such key."""

    def find_rights(
        self, authorization: bytes | None
    ) -> tuple[list[str] | None, int | None, int | None, str]:
        """(models, credit line, limit, when the limit resets) of the same key, in nano-USD.

        None: every model, an unlimited line, no limit. Raises what find_key() does.
        """

    def submit(
        self,
        surface: str,
        body: bytes | RequestBody,
        authorization: bytes | None,
        request_id: bytes | None,
        origin: str,
        explain: int = 0,
        idempotency_key: bytes | None = None,
        options: tuple[int, int, bool, bytes | None] | None = None,
    ) -> int: ...
    def quote(
        self,
        surface: str,
        body: bytes | RequestBody,
        authorization: bytes | None,
        request_id: bytes | None,
        origin: str,
        seed: int | None = None,
        simulate: int = 0,
        as_key: bytes | None = None,
        options: tuple[int, int, bool, bytes | None] | None = None,
    ) -> tuple[int, Headers, bytes]: ...
    def flush(self) -> None: ...
    def cancel(self, exchange: int) -> None: ...
    def stop(self, exchange: int | None = None) -> None: ...
    def ack(self, exchange: int, size: int) -> None: ...
    def fileno(self) -> int: ...
    def take_all(self) -> list[Event]: ...
    def wait(self, timeout: float) -> bool: ...
    def take_shadow_pairs(self) -> list[ShadowPair]:
        """What is finished of shadow pairs, the oldest first. Each is given once."""

    def ask_as_operator(self, body: bytes, tag: str, of: str) -> bool:
        """Sends a chat completion request of the operator's own, within the bound of shadow pairs;
        its row names the generation `of`. False: not now, as too many are under way."""

    def take_verdicts(self) -> list[tuple[str, bytes, int]]:
        """Tag, answer and status of those that have ended; status 0: it was not sent. Each is given
        once; 64 wait at most."""

    def raise_shadow_spent(self, nano: int) -> None:
        """Their second requests have cost at least so much on this UTC day."""

    def begin_shutdown(self) -> None: ...
    def active(self) -> int: ...
    def close(self) -> None: ...
    def write_error(
        self,
        code: str,
        message: str,
        param: str,
        request_id: bytes | None,
        authorization: bytes | None,
        origin: str,
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body of an error in the words of the key's profile."""

    def new_request_id(self, offered: bytes | None) -> bytes: ...
    def health(self) -> list[dict[str, Any]]: ...
    def reset_health(self, name: str) -> int: ...
    def census(self) -> int:
        """Slots of limits that were ever counted as taken and were not; they are free then."""

    def export_state(self) -> bytes: ...
    def restore_state(self, state: bytes) -> None:
        """Once, before the first `install`. ValueError: damaged, too old, of another version."""

    def state_revision(self) -> int: ...
    def samples(self) -> list[tuple[str, tuple[tuple[str, str], ...], float]]: ...

def price_usage(
    table: dict[str, Any], usage: dict[str, Any], *, now: int, service_tier: str = ""
) -> dict[str, Any]:
    """Prices a provider's `usage` object as the gateway would; see `seekroute.gateway`."""

def hmac_sha256(key: bytes, message: bytes) -> bytes: ...
def estimate_tokens(text: bytes) -> tuple[int, int]:
    """(expected tokens, upper bound) of UTF-8 text."""

def without_keys(text: bytes) -> bytes:
    """`text` with `[key]` for whatever looks like an API key, of any vendor."""

def begins_as_key(text: bytes) -> bool:
    """Whether `text` begins as such keys do."""

def key_heads() -> list[str]:
    """How they begin, each with its separator."""

def is_special_address(literal: str) -> bool:
    """Whether an IP address is not that of an ordinary public host; also of what is none."""

def trust_problem(ca_file: str) -> str:
    """Why nobody is trusted by this CA file ("": the system's store); "" when somebody is."""

def auto_problem(router: dict[str, Any] | None) -> str:
    """Why a snapshot with this member `auto` is refused, behind the setting's path; "" when it is
    not."""

def estimate_prompt(body: bytes) -> tuple[int, int]:
    """(expected tokens, upper bound) of the prompt in a chat completion request's JSON."""

def return_large_blocks() -> bool: ...
def errors() -> list[tuple[str, int, str, bool | None, int, str]]:
    """The table of errors: `seekroute.error_table.ErrorRow` has the columns. Two rows may share a
    wire name; the usual one comes first."""

@final
class MemoryLedger:
    """The ledger's state machine without a file. Private: for tests."""

    def run(self, operations: list[tuple[Any, ...]]) -> list[Any]:
        """One result an operation: its word; of a hold (word, granted, available)."""

    def entries(self) -> list[tuple[int, str, str, str, tuple[int, ...], str]]:
        """(seq, kind, id, organization, six postings, generation id) in order."""

    def balances(self) -> dict[str | None, tuple[int, int, int]]:
        """(available, held, debt) by organization; under None (cash, revenue, loss)."""

Row: TypeAlias = dict[str, Any]

def ledger_identity(path: str) -> str:
    """What tells a ledger and its copies from all others, whatever its schema. CoreError where
    it cannot be read."""

@final
class LedgerFile:
    """A ledger file of a process that runs no gateway. Every method may be called from any thread
    and waits without the GIL. Amounts are nano-USD.

    One process writes a ledger; while it runs, others open it with `read_only=True`. A file that
    is in use, damaged or no ledger raises CoreError.
    """

    def __init__(self, path: str, *, read_only: bool = False, orphans: str = "expire") -> None:
        """`orphans`: what becomes of the holds of a process that is gone. "expire": given back.
        "charge": one that has a progress note (the gateway's `credits_progress_note_ms`) is charged
        by it, the others are given back."""

    def close(self) -> None:
        """Lets go of the file; reads still work."""

    def topup(self, id: str, org: str, amount_nano: int) -> tuple[str, int, int, int]:
        """Durable when it returns: (result, available, held, debt). `id` makes it happen once:
        "ok", "exists" the second time, "conflict" with other arguments, "invalid"."""

    def adjust(
        self, id: str, org: str, amount_nano: int, note: str, *, chargeback: bool = False
    ) -> tuple[str, int, int, int]:
        """Gives, or with a negative amount takes; what is not available becomes debt (<= 0)."""

    def refund(self, id: str, generation: str, amount_nano: int) -> tuple[str, int, int, int]:
        """Gives back part of a charge; also "unknown" and "too_much"."""

    def undelivered(self, id: str, generation: str, amount_nano: int) -> tuple[str, int, int, int]:
        """A refund, or none where the amount is 0, after which the request may be sent again."""

    def balance(self, org: str) -> tuple[int, int, int, int, int, int]:
        """(available, held, debt, 0, 0, 0); of "" the operator's (0, 0, 0, cash, revenue, loss)."""

    def balances(self) -> list[Row]:
        """org, available, held, debt; by name."""

    def generation(self, id: str) -> Row | None:
        """One request by its generation id, with its `attempts` and what was `refunded`."""

    def find_requests(self, id: str, *, begins: bool, most: int) -> list[Row]:
        """`generation` of those that `id` may mean, newest first: by their request_id, and where
        it `begins` one, by their own id."""

    def rows(
        self, *, org: str = "", key: str = "", before: int | None = None, limit: int = 100
    ) -> list[Row]:
        """Requests, newest first; the last one's `n` as `before` gives the next page."""

    def activity(
        self, *, org: str = "", key: str = "", since: int = 0, until: int | None = None
    ) -> list[Row]:
        """Sums by UTC day, key and model, of the days of two Unix times, both included."""

    def key_charges(self) -> list[Row]:
        """Of each key that was used: `key`, and the `cost` of all its requests."""

    def days(
        self,
        org: str,
        *,
        key: str = "",
        by_key: bool = False,
        first: int,
        last: int,
        limit: int,
        offset: int = 0,
    ) -> list[Row]:
        """Sums of one organization by UTC day, model and perhaps key, of the days from `first` to
        `last`, which are counted from 1970."""

    def account(self, org: str) -> Row:
        """available, held, debt (<= 0), charged, refunded: as of one moment."""

    def key_use(
        self,
        org: str,
        key: str,
        *,
        day: tuple[int, int],
        week: tuple[int, int],
        month: tuple[int, int],
        window: tuple[int, int],
    ) -> dict[str, int]:
        """total, daily, weekly, monthly, window and held: each from a day counted from 1970 to the
        one before the second."""

    def entries(self, after: int = 0, limit: int = 1000) -> list[Row]:
        """Journal entries in order; the last one's `seq` as `after` gives the next page."""

    def orders(self, after_kind: int = 0, after_id: str = "", limit: int = 1000) -> list[Row]:
        """Orders that were booked, by the number of their kind and by id: entry_kind, kind, id,
        org, amount, note, generation. The last one's entry_kind and id give the next page."""

    def find_orders(self, names: Sequence[tuple[str, str]]) -> list[Row | None]:
        """Likewise, of each (kind, id); None: it was never booked."""

    @property
    def identity(self) -> str:
        """What tells this ledger and its copies from others; empty before its first start."""

    def verify(self) -> Row:
        """rule ("" when sound), seq, why, entries, requests."""

    def backup(self, path: str) -> None:
        """A durable copy as of one moment; `path` must not exist."""

    def prune(self, older_than_ms: int) -> tuple[int, int]:
        """Rolls up what is older than a Unix time in ms: (entries, requests) that went."""

    @property
    def blocked(self) -> str:
        """The error's code while a disk that is full, or another writer, refuses what is asked; ""
        once a write has succeeded. The writer tries each second."""

    @property
    def trouble(self) -> str:
        """Why no money is taken until a restart; empty while it is."""

    @property
    def expired_at_start(self) -> int:
        """Holds of a dead process that were given back when the file was opened."""

    @property
    def charged_at_start(self) -> int:
        """Those that were charged by their progress notes instead."""

@final
class WordVectors:
    """A table of word vectors. CoreError where the bytes are none."""

    def __init__(self, table: bytes) -> None: ...
    @property
    def checksum(self) -> int: ...

@final
class AutoScorer:
    """Weights of the router, ready for use; thread-safe. CoreError where the bytes are none, or the
    vectors are not those of the training."""

    def __init__(self, weights: bytes, vectors: WordVectors | None) -> None: ...
    @property
    def models(self) -> list[str]: ...
    @property
    def revision(self) -> str: ...
    @property
    def ratings(self) -> int: ...
    @property
    def shares(self) -> tuple[float, float, float]: ...
    @property
    def members(self) -> tuple[bool, bool, bool]: ...
    def score(self, texts: Sequence[bytes], ask_neighbours: bool) -> Scores: ...
    def score_features(
        self,
        dense: bytes,
        difficulty: bytes,
        ends: bytes,
        buckets: bytes,
        counts: bytes,
        ask_neighbours: bool,
    ) -> Scores:
        """The same of features, as `scan_texts` gives them."""

    def rank(
        self, excerpt: bytes, costs: Sequence[int], quality: float, strategy: str
    ) -> tuple[float, list[tuple[int, float, float, str]]]:
        """The difficulty; place, quality, score and reason of each model, the chosen one first.
        `costs` are pico-USD a request, `quality` what each model has before it is learned of."""

@final
class AutoRouter:
    """What a server chooses by; thread-safe. ValueError where the settings, which are the
    snapshot's `auto`, are refused."""

    def __init__(self, router: dict[str, Any]) -> None: ...
    def judge(
        self,
        dense: bytes,
        difficulty: bytes,
        ends: bytes,
        buckets: bytes,
        counts: bytes,
        is_text: bytes,
    ) -> tuple[bytes, bytes]:
        """Of prompts, given the features that `scan_texts` gives: how hard they look, float32, and
        the chance of each model of the pool to serve them well, float32 (prompts, models).
        `is_text`: a byte a prompt, 0 where it had none."""

    def rank(
        self,
        quality: Sequence[float],
        offers: Sequence[tuple[int, int, int, bool]],
        strategy: str,
    ) -> list[tuple[int, float, str]]:
        """Place, score and reason of each offer, the chosen one first; nothing is drawn. `quality`
        is of each model of the pool; an offer is its place there, pico-USD, ms or 0, whether it is
        a last resort."""

@final
class OnlineLinearModel:
    """A linear model that learns of texts one after the other; not thread-safe."""

    def __init__(self, spreads: bytes) -> None:
        """`spreads`: mean and scale of each counter, float32."""

    def follow(self, texts: Sequence[bytes], outcomes: bytes) -> bytes:
        """Of each text its probability, float32, before it is learned of; then learns its outcome,
        float32, unless that is NaN."""

    def weights(self) -> dict[str, Any]:
        """`words`, `counters` and `bias` of a model of `write_auto_weights`."""

def auto_counters() -> list[tuple[str, bool]]:
    """The counters of a prompt by name; whether each is the natural logarithm of 1 + a number."""

def excerpt_of(content: bytes) -> bytes:
    """Of the `content` of a message, in JSON, what routing by content looks at."""

def auto_vectors_checksum(weights: bytes) -> int:
    """Of the table of word vectors that weights were trained with; 0: with none. CoreError."""

def scan_texts(
    texts: Sequence[bytes], vectors: WordVectors | None
) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Dense features (texts, 43) and difficulty (texts, 2) as float32; of each text where its words
    end, as uint32; their buckets and counts as uint16."""

def build_word_vectors(words: Sequence[str], scales: Sequence[float], numbers: bytes) -> bytes: ...
def text_directions(dense: bytes, direction: bytes) -> bytes: ...
def write_auto_weights(weights: dict[str, Any]) -> bytes: ...
def step_auto_weights(
    weights: bytes,
    revision: str,
    dense: bytes,
    difficulty: bytes,
    ends: bytes,
    buckets: bytes,
    counts: bytes,
    steps: Sequence[tuple[int, int, float]],
) -> bytes:
    """Weights whose regression has taken a step for each rating: the prompt's place among the
    features, the model's in the weights, and the outcome. `revision` is added to theirs."""
