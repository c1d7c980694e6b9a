"""Training sequences beside the plain passkey: keys with names, documents with questions, and
passages of a book that come again. All names are made up of syllables; `mmrun docs` has others."""

import numpy as np

import passkey

# What a target is, besides passkey's: a digit of an answer about a name, a byte of a passage that came before.
FACT, REPEAT = 4, 5
LEAST = 512  # tokens that every kind of sequence here fits into

STARTS = ("Bal", "Cor", "Dov", "Fen", "Gor", "Hul", "Jas", "Kel", "Lom", "Mur", "Nev", "Pol", "Ros", "Sav", "Tir", "Vel", "Wem", "Yar", "Zub")
MIDDLES = ("a", "e", "i", "o", "u", "an", "el", "ir", "os", "um")
ENDS = ("ba", "dor", "fi", "gan", "ka", "lis", "mo", "nex", "pa", "rin", "sko", "tev", "va", "zel")


def names(random, count):
    """So many different names."""
    found = []
    while len(found) < count:
        name = "".join(part[random.randint(len(part))] for part in (STARTS, MIDDLES, ENDS))
        if name not in found:
            found.append(name)
    return found


def keys(random, count):
    """So many different keys."""
    found = []
    while len(found) < count:
        key = passkey.random_key(random)
        if key not in found:
            found.append(key)
    return found


class Sequence:
    """Tokens and what each of them is as a target, put together piece by piece."""

    def __init__(self):
        self.tokens, self.kinds = [], []

    def add(self, tokens, marked=None, kind=passkey.TEXT):
        """Appends tokens (or bytes), those of the slice marked as kind."""
        tokens = passkey.as_tokens(tokens) if isinstance(tokens, bytes) else tokens
        self.tokens.append(tokens)
        self.kinds.append(np.zeros(len(tokens), np.int64))
        if marked:
            self.kinds[-1][marked] = kind

    def done(self):
        """Tokens (length + 1) and the kinds of tokens[1:]."""
        return np.concatenate(self.tokens), np.concatenate(self.kinds)[1:]


def spread(random, total, count):
    """So many whole numbers, none negative, that add up to total."""
    cuts = np.sort(random.randint(total + 1, size=count - 1))
    return np.diff(np.concatenate([[0], cuts, [total]]))


def asked(question, key):
    """A question with its answer, and where the digits stand in it."""
    text = question + passkey.answer(key)
    return text, slice(len(text) - passkey.DIGITS, len(text))


def labelled(random, length, text, start=None):
    """Two keys or more with names, hidden in text; in a third of the sequences one of them is told
    again with another key, which counts from then on. Then questions about some of them."""
    room = length + 1
    count = 2 + random.randint(max(1, min(3, room // 256)))
    told = list(zip(names(random, count), keys(random, count + 1)))
    extra = passkey.random_key(random)
    if random.rand() < 1 / 3:
        told.append((told[random.randint(count)][0], extra))
    facts = [b" The pass key of %s is %d. Remember it. %d is the pass key of %s." % (n.encode(), k, k, n.encode()) for n, k in told]
    now = dict(told)
    order = [list(now)[i] for i in random.permutation(len(now))]
    questions = [asked(b" What is the pass key of %s? The pass key of %s is" % (n.encode(), n.encode()), now[n]) for n in order]
    while len(questions) > 1 and sum(map(len, facts)) + sum(len(q) for q, _ in questions) > room // 2:
        questions.pop()
    free = room - sum(map(len, facts)) - sum(len(q) for q, _ in questions)
    if free < 0:
        raise ValueError(f"length {length} is too short for {len(facts)} keys")
    tail = random.randint(min(free, passkey.TAIL) + 1)
    gaps = spread(random, free - tail, len(facts) + len(questions))
    around, at, made = passkey.filler(text, random.randint(len(text)) if start is None else start, free), 0, Sequence()
    for gap, piece in zip(gaps, [(fact,) for fact in facts] + [(q, digits, FACT) for q, digits in questions]):
        made.add(around[at:at + gap])
        made.add(*piece)
        at += gap
    made.add(around[at:])
    return made.done()


def sentences(random, text, count):
    """So many pieces of 30 to 70 bytes of text, each as a sentence: a space, some words, a full stop."""
    found = []
    for _ in range(count):
        piece = passkey.filler(text, random.randint(len(text)), 30 + random.randint(41))
        words = bytes(np.where(piece < 128, piece, 32).astype(np.uint8)).split()
        found.append(b" " + b" ".join(words[1:-1] or [b"so"]).strip(b".,;:!?") + b".")
    return found


def document(random, number, name, key, text):
    """The bytes of one document: its number and its name, and somewhere among four sentences its code."""
    parts = sentences(random, text, 4)
    parts.insert(random.randint(5), b" The code of %s is %d." % (name, key))
    return b"\n\nDocument %d: %s." % (number, name) + b"".join(parts)


def documents(random, length, text):
    """One document or more, each with a code, then questions about some of them, then text."""
    room = length + 1
    most = max(1, (room - 100) // 400)
    count = 1 + random.randint(most)
    called = [name.encode() for name in names(random, count)]
    codes, made, used = keys(random, count), Sequence(), 0
    for i, (name, code) in enumerate(zip(called, codes)):
        piece = document(random, i + 1, name, code, text)
        made.add(piece)
        used += len(piece)
    for i in random.permutation(count):
        question, digits = asked(b"\n\nWhat is the code of %s? The code of %s is" % (called[i], called[i]), codes[i])
        if used + len(question) > room:
            break
        made.add(question, digits, FACT)
        used += len(question)
    if used > room:
        raise ValueError(f"length {length} is too short for {count} documents")
    made.add(passkey.filler(text, random.randint(len(text)), room - used))
    return made.done()


def repeats(random, length, text, start=None):
    """Text in which a passage of 40 bytes or more comes again, at least a window of 64 later. Its first
    bytes could not be known; from the ninth on they count as REPEAT."""
    room, size = length + 1, 40 + random.randint(min(160, length // 4 - 40))
    around = passkey.filler(text, random.randint(len(text)) if start is None else start, room - size)
    first = random.randint(room - 2 * size - 64 + 1)
    again = first + size + 64 + random.randint(room - 2 * size - 64 - first + 1)
    made = Sequence()
    made.add(around[:again])
    made.add(around[first:first + size], slice(8, size), REPEAT)
    made.add(around[again:])
    return made.done()
