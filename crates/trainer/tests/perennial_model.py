"""Perennial's models outside of Perennial: reads a run folder and predicts from events, in NumPy or in PyTorch.

The format that this reads is documented in crates/trainer/src/checkpoint.rs and network.rs; the test beside it compares
the predictions with Perennial's. Copy it, or import it:

    model = Model("runs/<id>", torch)              # or without torch: NumPy
    model.predict(customer)                        # what `perennial score` writes
    model.state(customer), model.products()        # embeddings, [D] and [products, D]

A customer is {"as_of": …, "features": {name: number or None}, "events": [rows of core.timeline, in time order]}; times are
microseconds since 1970 UTC. All arithmetic is in double precision, one customer at a time, so nothing is padded.

Usage: python perennial_model.py <run folder> <file of a JSON list of customers> [torch]
"""
import json
import math
import pathlib
import struct
import sys
import tomllib

import numpy

MICROS_PER_DAY = 86_400_000_000
# The vocabulary's fields, in the order of their rows in the table, with their columns in core.timeline.
FIELDS = {"kind": "kind", "product": "product_id", "category": "category", "channel": "channel"}


class Model:
    def __init__(self, run, xp=numpy):
        run = pathlib.Path(run)
        config = tomllib.loads((run / "config.toml").read_text())
        self.xp, self.head = xp, config["head"]
        self.heads, self.length = config["model"]["heads"], config["model"]["length"]
        self.block = {"transformer": self.transformer, "hstu": self.hstu, "gru": self.gru}[config["model"].get("architecture", "transformer")]
        tensors, header = read_safetensors(run / "weights.safetensors")
        self.scaling = header["scaling"]
        self.array = lambda values: xp.asarray(values, dtype=xp.float64)
        self.weights = {name: self.array(values) for name, values in tensors.items()}
        self.width = tensors["table"].shape[1]
        self.blocks = len({name.split(".")[0] for name in tensors if name.startswith("block_")})
        vocabulary = json.loads((run / "vocabulary.json").read_text())
        self.rows, self.extra, self.product_rows = table_rows(vocabulary, self.head)
        self.places = {text: place for place, text in enumerate(vocabulary["product"])}
        has_memory = "memory.weight" in tensors
        self.followers = json.loads((run / "followers.json").read_text()) if has_memory else None
        assert len(tensors["table"]) == self.extra + 1, "the table is not of this vocabulary"
        self.erf = getattr(xp, "erf", numpy.vectorize(math.erf))

    def products(self):
        return self.weights["table"][list(self.product_rows.values())]

    def state(self, customer):
        """The encoder's state of the token that is read."""
        events = visible(customer)
        tokens = self.tokens(events[-self.length:], customer)
        times = [event["event_time"] for event in events[-self.length:]] + [customer["as_of"]]
        for block in range(self.blocks):
            tokens = self.block(f"block_{block}", tokens, times)
        return self.norm("norm", tokens[-1])

    def raw(self, customer):
        """The head's raw outputs."""
        context, known = self.query(customer)
        state = self.state(customer)
        hidden, direct = self.linear("readout.hidden", state), self.linear("readout.direct", context)
        if known is not None:
            hidden = hidden + self.linear("readout.customer_hidden", known)
            direct = direct + self.linear("readout.customer", known)
        outputs = (self.linear("readout.output", self.gelu(hidden)) + direct).tolist()
        for place, offset in enumerate(self.scaling.get("offsets", [])):
            outputs[place] += customer["features"][offset["name"]] - offset["mean"]
        return outputs

    def predict(self, customer):
        if self.head in ("churn", "binary"):
            raw = self.raw(customer)
            # The one output is of leaving; those of several periods are of coming back in each.
            return {"p_churn": sigmoid(raw[0]) if len(raw) == 1 else math.prod(sigmoid(-x) for x in raw)}
        if self.head in ("clv", "amount"):
            logit, mu, sigma = self.raw(customer)
            log_mean = min(mu + deviation(sigma) ** 2 / 2, self.scaling["log_largest"])
            expected = sigmoid(logit) * math.exp(log_mean + self.scaling.get("log_calibration", 0.0))
            return {"expected_value": expected, "p_zero": 1 - sigmoid(logit)}
        chances = self.chances(customer) if self.product_rows else []
        next_purchase = {"products": dict(zip(self.product_rows, chances))}
        return next_purchase | (self.time(customer) if self.head == "next_purchase" else {})

    def chances(self, customer):
        """Of each product that the next purchase is of it."""
        state = self.state(customer)
        own = self.softmax(self.products() @ state).tolist()
        if self.followers is None:
            return own
        following, habit, evidence = self.recall(customer)
        weights = self.softmax(self.linear("memory", self.xp.concatenate([state, self.array(evidence)]))).tolist()
        rest = 1 - weights[1] * sum(following.values()) - weights[2] * sum(habit.values())
        told = lambda place: weights[1] * following.get(place, 0) + weights[2] * habit.get(place, 0)
        return [rest * p + told(place) for place, p in enumerate(own)]

    def recall(self, customer):
        """Shares of products after the last order's in other customers' histories and in the customer's own orders."""
        counts = self.followers
        mains = lambda events: [self.places.get(e["product_id"]) for e, is_main in zip(events, largest(events)) if is_main]
        counted = mains(visible(customer | {"as_of": counts["until"]}))
        own = [pair for pair in zip(counted, counted[1:]) if None not in pair]
        orders = mains(visible(customer)[-self.length:])
        last, following, total = orders[-1] if orders else None, {}, 0
        if last is not None:
            total = max(counts["totals"][last] - sum(before == last for before, _ in own), 0)
            listed = slice(counts["offsets"][last], counts["offsets"][last + 1])
            for place, count in zip(counts["products"][listed], counts["counts"][listed]):
                following[place] = max(count - own.count((last, place)), 0) / max(total, 1)
        habit = {place: orders.count(place) / len(orders) for place in orders if place is not None}
        return following, habit, [math.log1p(total), math.log1p(len(orders))]

    def time(self, customer):
        """Days to the next purchase, from a mixture of lognormals."""
        raw = self.raw(customer)
        count = len(raw) // 3
        weights, mus = [math.exp(x - max(raw[:count])) for x in raw[:count]], raw[count : 2 * count]
        parts = [(w / sum(weights), mu, deviation(sigma)) for w, mu, sigma in zip(weights, mus, raw[2 * count :])]

        def share_later(log_days):
            return sum(w * math.erfc((log_days - mu) / sigma / math.sqrt(2)) / 2 for w, mu, sigma in parts)

        def quantile(p):
            low, high = math.log(1 / 16), math.log(36_525)
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if share_later(middle) > 1 - p else (low, middle)
            return math.exp(high)

        within = 1 - share_later(math.log(self.scaling["horizon_days"]))
        days = {"median_days": quantile(0.5), "p10_days": quantile(0.1), "p90_days": quantile(0.9)}
        return days | {"p_within_horizon": within}

    def tokens(self, events, customer):
        """[events + 1, D]: per event the sum of its table rows and its features; the extra token first or last."""
        row = lambda field, text: self.rows[field].get(text, self.rows[field].get(UNKNOWN))
        bags = [[row(field, event[column]) for field, column in FIELDS.items()] for event in events]
        # What every token knows of the newest order so far; nothing before the first.
        last, lasts = None, []
        for event, is_main in zip(events, largest(events)):
            last = row(LAST, event["product_id"]) if is_main and LAST in self.rows else last
            lasts.append(last)
        bags = [bag + [last] for bag, last in zip(bags, lasts)]
        features = event_features(events, customer["as_of"])
        # A head that ranks products learns at every event, which must not see the cut-off; a list of items has no orders.
        names = {"next_item": 6, "next_purchase": 7}.get(self.head, 8)
        table, scale = self.weights["table"], math.sqrt(self.width)
        tokens = []
        for bag, numbers in zip(bags, features):
            rows = table[[place for place in bag if place is not None]].sum(0)
            scaled = standardised(numbers[:names], self.scaling["features"])
            tokens.append(rows * scale + self.linear("features", self.array(scaled)))
        extra = table[self.extra] * scale
        if self.head == "next_item":
            return self.xp.stack([extra, *tokens])
        context, known = self.query(customer)
        query = self.linear("context", context)
        if known is not None:
            query = query + self.linear("customer", known)
        if last is not None:
            query = query + table[last] * scale
        return self.xp.stack([*tokens, extra + query])

    def query(self, customer):
        """What is known at the cut-off: the standardised aggregates, and the encoded features or None."""
        context = standardised(aggregates(visible(customer), customer["as_of"]), self.scaling["context"])
        known = [x for f in self.scaling.get("customer_features", []) for x in encoded(f, customer["features"][f["name"]])]
        return self.array(context), self.array(known) if known else None

    def transformer(self, path, x, _):
        """Pre-norm: causal attention with rotary positions, then a feed-forward layer."""
        tokens, size = len(x), self.width // self.heads
        normed = self.norm(f"{path}.norm_attention", x)
        query, key = (self.turned(self.linear(f"{path}.{name}", normed)) for name in ("query", "key"))
        value = self.linear(f"{path}.value", normed).reshape(tokens, self.heads, size)
        scores = self.xp.einsum("qhd,khd->hqk", query, key) / math.sqrt(size)
        later = self.xp.triu(self.xp.full((tokens, tokens), -math.inf), 1)
        attended = self.xp.einsum("hqk,khd->qhd", self.softmax(scores + later), value).reshape(tokens, self.width)
        return self.feed_forward(path, x + self.linear(f"{path}.output", attended))

    def hstu(self, path, x, times):
        """Gated attention without a softmax; biases tell how many tokens and how much time lie between."""
        tokens, size = len(x), self.width // self.heads
        normed = self.norm(f"{path}.norm", x)
        gate, *heads = (self.silu(self.linear(f"{path}.{name}", normed)) for name in ("gate", "value", "query", "key"))
        value, query, key = (part.reshape(tokens, self.heads, size) for part in heads)
        # A list's token asks at the time of the next one.
        asked, times = (times, [times[0], *times[:-1]]) if self.head == "next_item" else (times, times)
        rows = []
        for i in range(tokens):
            spans = [math.floor(math.log(max((asked[i] - times[j]) / 1e6, 1)) / 0.301) for j in range(i + 1)]
            bias = self.weights[f"{path}.positions"][list(range(i, -1, -1))] + self.weights[f"{path}.spans"][spans]
            scores = self.silu(self.xp.einsum("hd,khd->kh", query[i], key[: i + 1]) + bias)
            rows.append(self.xp.einsum("kh,khd->hd", scores, value[: i + 1]).reshape(self.width) / (i + 1))
        attended = self.norm(f"{path}.norm_attended", self.xp.stack(rows))
        return x + self.linear(f"{path}.output", gate * attended)

    def gru(self, path, x, _):
        """Pre-norm: a gated recurrent unit, then a feed-forward layer."""
        given, states = self.linear(f"{path}.input", self.norm(f"{path}.norm_recurrent", x)), []
        state = self.array([0.0] * self.width)
        for row in given:
            (r, z, n), (own_r, own_z, own_n) = (
                part.reshape(3, self.width) for part in (row, self.linear(f"{path}.state", state))
            )
            update = self.sigmoids(z + own_z)
            state = (1 - update) * self.xp.tanh(n + self.sigmoids(r + own_r) * own_n) + update * state
            states.append(state)
        return self.feed_forward(path, x + self.linear(f"{path}.output", self.xp.stack(states)))

    def feed_forward(self, path, x):
        inner = self.gelu(self.linear(f"{path}.up", self.norm(f"{path}.norm_feed_forward", x)))
        return x + self.linear(f"{path}.down", inner)

    def turned(self, x):
        """[tokens, D] → [tokens, heads, D / heads]: numbers 2k and 2k + 1 of a head turn by position / 10000^(k / pairs)."""
        pairs = self.width // self.heads // 2
        speed = self.array([10_000 ** (-k / pairs) for k in range(pairs)])
        angle = self.array(range(len(x)))[:, None, None] * speed
        cos, sin, x = self.xp.cos(angle), self.xp.sin(angle), x.reshape(len(x), self.heads, pairs, 2)
        even, odd = x[..., 0], x[..., 1]
        turned = self.xp.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
        return turned.reshape(len(x), self.heads, 2 * pairs)

    def linear(self, path, x):
        y = x @ self.weights[f"{path}.weight"].T
        return y + self.weights[f"{path}.bias"] if f"{path}.bias" in self.weights else y

    def norm(self, path, x):
        centred = x - x.mean(-1)[..., None]
        scaled = centred / ((centred**2).mean(-1)[..., None] + 1e-5) ** 0.5
        return scaled * self.weights[f"{path}.weight"] + self.weights[f"{path}.bias"]

    def gelu(self, x):
        return x * (1 + self.erf(x / math.sqrt(2))) / 2

    def sigmoids(self, x):
        return 1 / (1 + self.xp.exp(-x))

    def silu(self, x):
        return x * self.sigmoids(x)

    def softmax(self, x):
        powers = self.xp.exp(x - x.max())
        return powers / powers.sum(-1)[..., None]


def read_safetensors(path):
    """Tensors by name, which `safetensors.numpy.load_file` reads, too, and what Perennial wrote into the header."""
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    ours = json.loads(header.pop("__metadata__")["perennial"])

    def values(entry):
        first, end = (start + offset for offset in entry["data_offsets"])
        return numpy.frombuffer(data[first:end], "<f4").reshape(entry["shape"]).copy()

    return {name: values(entry) for name, entry in header.items()}, ours


UNKNOWN = object()
# The field of the newest order's product.
LAST = "last_product"


def table_rows(vocabulary, head):
    """Per field the table's row of each text; the row of the extra token; the row of each product."""
    # Row 0 is for a missing value and adds nothing.
    rows, following = {}, 1
    fields = [(field, vocabulary[field]) for field in FIELDS]
    if head == "next_purchase" and vocabulary["product"]:
        fields.append((LAST, vocabulary["product"]))
    for field, texts in fields:
        # What is the same in every event has no rows.
        if not texts or (field == "kind" and len(texts) == 1):
            rows[field] = {}
            continue
        rows[field] = {text: row for row, text in enumerate([UNKNOWN, *texts], following)}
        rows[field][None] = None
        following += len(texts) + 1
    return rows, following, {text: rows["product"][text] for text in vocabulary["product"]}


def visible(customer):
    """The events that count at the cut-off, by both clocks."""
    as_of = customer["as_of"]

    def counts(event):
        superseded = event["superseded_at"]
        return event["event_time"] < as_of and event["known_time"] < as_of and (superseded is None or superseded >= as_of)

    return [event for event in customer["events"] if counts(event)]


def largest(events):
    """Of each event whether it is the largest line of its order, the first of equally large ones."""
    amounts = {}
    for event in events:
        if event["kind"] == "purchase":
            amounts.setdefault(event["event_time"], []).append(event["amount"] or 0.0)
    for event in events:
        lines = amounts.get(event["event_time"], []) if event["kind"] == "purchase" else []
        is_main = lines != [] and (event["amount"] or 0.0) == max(lines)
        yield is_main
        if is_main:
            del amounts[event["event_time"]]


def event_features(events, as_of):
    """sequences::EVENT_FEATURES names them."""
    times = [event["event_time"] for event in events]
    for before, time, event, is_main in zip(times[:1] + times, times, events, largest(events)):
        amount = event["amount"] or 0.0
        log_amount = math.copysign(math.log1p(abs(amount)), amount)
        yield [log_amount, log_days(before, time), *calendar(time), float(is_main), log_days(time, as_of)]


def aggregates(events, as_of):
    """Over all visible events; an order is all purchases at one time. sequences::CONTEXT_FEATURES names them."""
    of = lambda kind: [event for event in events if event["kind"] == kind]
    amount = lambda rows: sum(event["amount"] or 0.0 for event in rows)
    orders = sorted({event["event_time"] for event in of("purchase")})
    others = [event["event_time"] for event in events if event["kind"] not in ("purchase", "return")]
    within = lambda times, days: math.log1p(sum(time >= as_of - days * MICROS_PER_DAY for time in times))
    known = days(events[0]["event_time"], as_of) if events else 0.0
    since_event = days(events[-1]["event_time"], as_of) if events else 0.0
    since_order = days(orders[-1], as_of) if orders else known
    gaps = [days(a, b) for a, b in zip(orders, orders[1:])]
    mean_gap = sum(gaps) / len(gaps) if gaps else known
    gap_deviation = math.sqrt(sum((gap - mean_gap) ** 2 for gap in gaps) / len(gaps)) if gaps else 0.0
    spend, returned = amount(of("purchase")), sum(abs(event["amount"] or 0.0) for event in of("return"))
    return [
        math.log1p(len(orders)),
        math.log1p(len(of("return"))),
        math.log1p(len(others)),
        *(within(orders, window) for window in (30, 90, 365)),
        *(within(others, window) for window in (30, 90)),
        math.log1p(since_order),
        math.log1p(since_event),
        math.log1p(known),
        math.log1p(mean_gap),
        math.log1p(gap_deviation),
        math.log1p(since_order) - math.log1p(mean_gap),
        math.log1p(max(spend, 0.0)),
        math.log1p(max(spend, 0.0) / max(len(orders), 1)),
        returned / (abs(spend) + returned) if returned else 0.0,
        *calendar(as_of),
    ]


def encoded(feature, value):
    """Piecewise linear: per bin between two cuts how far the value is through it; whether it is unknown; less the means."""
    cuts, is_known = feature["cuts"], value is not None and math.isfinite(value)
    bins = [min(max((value - a) / (b - a), 0.0), 1.0) if is_known else 0.0 for a, b in zip(cuts, cuts[1:])]
    unknown = [float(not is_known)] if feature["may_be_unknown"] else []
    return [x - mean for x, mean in zip(bins + unknown, feature["means"])]


def standardised(numbers, moments):
    return [(x - m["mean"]) / m["deviation"] for x, m in zip(numbers, moments)]


def days(before, after):
    return (after - before) / MICROS_PER_DAY


def log_days(before, after):
    return math.log1p(max(days(before, after), 0.0))


def calendar(time):
    turns = (days(0, time) / 365.2425, days(0, time) / 7)
    return [wave(math.tau * (turn % 1)) for turn in turns for wave in (math.sin, math.cos)]


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def deviation(raw):
    """softplus(raw) + 0.1"""
    return max(raw, 0.0) + math.log1p(math.exp(-abs(raw))) + 0.1


if __name__ == "__main__":
    if sys.argv[3:] == ["torch"]:
        import torch
    model = Model(sys.argv[1], torch if sys.argv[3:] else numpy)
    customers = json.loads(pathlib.Path(sys.argv[2]).read_text())
    print(json.dumps([model.predict(customer) for customer in customers]))
