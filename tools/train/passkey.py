"""The passkey task: a key hidden in filler text, asked for at the end. The same task as that of
`mmrun passkey`, in bytes: a token is a byte here."""

import numpy as np
import torch

UNIT = b" The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
QUESTION = b" What is the pass key? The pass key is"
DIGITS = 5


def needle(key):
    return b" The pass key is %d. Remember it. %d is the pass key." % (key, key)


def answer(key):
    return b" %d" % key


def random_key(random):
    return int(random.randint(10**(DIGITS - 1), 10**DIGITS))


def filler(text, start, count):
    """count bytes of text repeated without end, from start on."""
    at = (start + np.arange(count)) % len(text)
    return text[at]


def as_tokens(text):
    return np.frombuffer(text, np.uint8).astype(np.int64)


GRASS = as_tokens(UNIT)


def prompt(random, length, key, depth=None, text=GRASS):
    """A prompt of length tokens that asks for key, the needle after the part depth of the filler,
    or, without a depth, anywhere."""
    hidden, question = as_tokens(needle(key)), as_tokens(QUESTION)
    n = length - len(hidden) - len(question)
    if n < 0:
        raise ValueError(f"length {length} is below the task's {len(hidden) + len(question)} tokens")
    before = random.randint(n + 1) if depth is None else int(np.floor(depth * n + 0.5))
    around = filler(text, random.randint(len(text)), n)
    return np.concatenate([around[:before], hidden, around[before:], question])


# What a target is: any byte; a digit of the needle's second key, of the first answer, of a later one.
TEXT, COPY, ANSWER, AGAIN = 0, 1, 2, 3


def sequence(random, length, text=GRASS, start=None):
    """Tokens (length + 1) for training: filler, a needle in it and after it one question or more, each
    answered; and what each target tokens[1:] is. The filler ends less than TAIL bytes after the
    last answer, so that one question stands as far from the needle as the length allows. It is
    text from start on, or from anywhere."""
    key = random_key(random)
    hidden, asked = as_tokens(needle(key)), as_tokens(QUESTION + answer(key))
    room = length + 1 - len(hidden)
    questions = 1 + random.randint(max(1, room // (2 * len(asked)))) if room >= len(asked) else 0
    if not questions:
        raise ValueError(f"length {length} is below the {len(hidden) + len(asked) - 1} tokens of a key and its answer")
    free = room - questions * len(asked)
    tail = random.randint(min(free, TAIL) + 1)
    cuts = np.sort(random.randint(free - tail + 1, size=questions))
    gaps = np.diff(np.concatenate([[0], cuts, [free - tail]]))
    around, at = filler(text, random.randint(len(text)) if start is None else start, free), 0
    parts, kinds = [], []

    def add(tokens, kind=None):
        parts.append(tokens)
        kinds.append(np.zeros(len(tokens), np.int64))
        if kind:
            kinds[-1][kind[0]:kind[0] + DIGITS] = kind[1]

    for i, gap in enumerate([*gaps, tail]):
        add(around[at:at + gap])
        at += gap
        if i == 0:
            add(hidden, (needle(key).index(answer(key), 20) + 1, COPY))
        elif i <= questions:
            add(asked, (len(QUESTION) + 1, ANSWER if i == 1 else AGAIN))
    return np.concatenate(parts), np.concatenate(kinds)[1:]


TAIL = 64
