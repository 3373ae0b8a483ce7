"""Texts for the teacher, cut from registry packages: dictionary, packages, speech, novel, mail, questions, names.

Every function returns distinct texts in an order fixed by its seed. Held-out texts are set aside before
anything is sampled, and `build` refuses a training text that equals one of them.
"""

import gzip
import json
import lzma
import random
import re

from sources import fetch, members

SEED = 20240607
HELD_OUT = {"glosses": 3000, "packages": 2000, "speech": 2000}
# Texts to take of each kind; what a source has less of is taken whole.
WANTED = {
    "glosses": 36000,
    "lemmas": 12000,
    "usage": 8000,
    "packages": 4000,
    "synopses": 8000,
    "speech": 2500,
    "novel": 500,
    "mail": 2000,
    "factbook": 500,
    "sayings": 1500,
    "dialog": 6000,
    "interview": 2000,
    "jargon": 400,
    "manual": 500,
    "questions": 16000,
    "named": 6000,
}
SPACES = re.compile(r"\s+")
SENTENCE_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")


def clean(text):
    return SPACES.sub(" ", text).strip()


def unique(texts, shortest=12):
    return list(dict.fromkeys(t for t in map(clean, texts) if len(t) >= shortest))


def sample(texts, count, seed):
    texts = list(texts)
    random.Random(f"{SEED}/{seed}").shuffle(texts)
    return texts[:count]


def passages(documents, seed, lengths=(1, 1, 1, 2, 2, 3)):
    """Cuts documents into runs of whole sentences, a run's length drawn from `lengths`."""
    rng = random.Random(f"{SEED}/{seed}")
    for document in documents:
        sentences = [s for s in SENTENCE_END.split(clean(document)) if s]
        at = 0
        while at < len(sentences):
            step = rng.choice(lengths)
            yield " ".join(sentences[at : at + step])[:1000]
            at += step


# Dictionary


def synsets(work):
    """(lemmas, gloss, lexicographer file) of every WordNet synset."""
    for _, data in members("wordnet", work, "package/dict/data.*"):
        for line in data.decode().splitlines():
            if line.startswith("  ") or "|" not in line:
                continue
            head, gloss = line.split("|", 1)
            fields = head.split()
            names = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            yield [re.sub(r"\(\w+\)$", "", n).replace("_", " ") for n in names], clean(gloss), int(fields[1])


def definition(gloss):
    return gloss.split('; "')[0]


def usages(gloss):
    return re.findall(r'"([^"]{20,})"', gloss)


# Packages


def packages(work):
    """(synopsis, long description) of Debian packages; of a family with a common first paragraph, one."""
    seen = set()
    text = lzma.decompress(fetch("debian", work)).decode()
    for stanza in text.split("\n\n"):
        body = stanza.partition("Description-en:")[2]
        synopsis, _, rest = body.partition("\n")
        paragraphs = [clean(p) for p in re.split(r"\n \.\n", rest)]
        family = paragraphs[0][:60]
        if len(family) < 40 or family in seen:
            continue
        seen.add(family)
        yield clean(synopsis), " ".join(paragraphs)


# Prose


def speeches(work, held_out):
    """State of the Union addresses: those from 2009 on are held out, those before train."""
    for path, data in members("sotu", work, "package/data/[12]*.txt"):
        if (int(path.split("/")[-1][:4]) >= 2009) == held_out:
            yield data.decode()


def novel(work):
    return [data.decode() for _, data in members("moby", work, "package/data/chapter_*.txt")]


def mails(work):
    """Bodies of the corpus's ordinary mails: paragraphs of prose, quoted lines and signatures left out."""
    for _, data in members("mail", work, "package/data/*-ham-*/*.json"):
        mail = json.loads(data)
        body = mail["text"] if isinstance(mail, dict) else str(mail)
        for paragraph in body.partition("\n\n")[2].split("\n\n"):
            lines = [line for line in paragraph.splitlines() if not line.startswith((">", "|", "-", "  "))]
            text = clean(" ".join(lines))
            words = re.findall(r"[a-z]+", text.lower())
            if len(words) > 6 and len(" ".join(words)) > 0.8 * len(text) and "<" not in text:
                yield text


def factbook(work):
    for _, data in members("factbook", work, "package/src/data/factbook/*.json"):
        country = json.loads(data)
        for text in strings(country):
            if len(text.split()) > 7:
                yield text if country["name"] in text else f"{country['name']}: {text}"


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def sayings(work):
    for path, data in members("fortunes", work, "*/games/fortunes/*"):
        if not path.endswith((".dat", ".u8")):
            yield from (t[:600] for t in data.decode("utf-8", "replace").split("\n%\n"))
    (_, data), *_ = members("quotes", work, "package/data/data.json")
    yield from (f"{q['text']} ({q['from']})" for q in json.loads(data.decode("utf-8-sig")))
    (_, data), *_ = members("devil", work, "*.dict.dz")
    yield from gzip.decompress(data).decode("utf-8", "replace").split("\n\n")


def jargon(work):
    (_, data), *_ = members("jargon", work, "*.dict.dz")
    for paragraph in gzip.decompress(data).decode().split("\n\n"):
        if paragraph.startswith("    "):
            yield re.sub(r"[{}]", "", paragraph)[:800]


def manual(work):
    """Paragraphs of the manual pages of sections 4, 5 and 7, without their typesetting."""
    for _, data in members("man", work, "*/man/man[1-8]/*.gz"):
        page = gzip.decompress(data).decode("utf-8", "replace")
        for paragraph in re.split(r"\n\.(?:PP|P|TP|IP|SH|SS|LP).*", page):
            lines = [re.sub(r"^\.(?:B|I|BR|IR|RB|RI|BI|IB) ", "", line) for line in paragraph.splitlines()]
            text = " ".join(line for line in lines if not line.startswith((".", "'")))
            text = clean(re.sub(r"\\f[A-Z]|\\\[\w+\]|\\&|\\-|\"", " ", text))
            if len(text.split()) > 7 and "\\" not in text:
                yield text[:800]


# Questions and names


def dialog(work):
    for _, data in members("dialog", work, "chatterbot_corpus/data/english/*.yml"):
        for turn in re.findall(r"^\s*-(?: -)? (.+(?:\n    .+)*)", data.decode(), re.M):
            yield clean(turn).strip("'\"")


def interview(work):
    (_, data), *_ = members("interview", work, "package/question.json")
    for entry in json.loads(data):
        yield entry.get("title") or ""
        yield re.sub(r"```.*?(```|$)|[#*`]", " ", entry.get("text") or "", flags=re.S)[:700]


def people(work):
    """Full names: those of WordNet's people and random pairs of faker's first and last names."""
    firsts, lasts = set(), set()
    for _, data in members("names", work, "faker/providers/person/en_*/__init__.py"):
        for block in re.split(r"\n    (?=\w+ = )", data.decode()):
            found = re.findall(r"[\"']([A-Z][a-z]+)[\"']", block)
            (firsts if block.startswith("first_names") else lasts if block.startswith("last_names") else set()).update(found)
    rng = random.Random(f"{SEED}/people")
    firsts, lasts = sorted(firsts), sorted(lasts)
    made = [" ".join([rng.choice(firsts), *rng.choices(lasts, k=rng.choice([1, 1, 2]))]) for _ in range(6000)]
    known = [names[0] for names, _, file in synsets(work) if file == 18 and re.match(r"[A-Z]\w+ .*[A-Z]", names[0])]
    return sample(made + 2 * known, None, "people order")


ASKED = [
    "What did {person} say about {thing}?",
    "Who is {person}?",
    "What is {thing}?",
    "What does the author say about {thing}?",
    "Why is {thing} important?",
    "How does {thing} work?",
    "How can I use {thing}?",
    "Where can I find {thing}?",
    "When did {person} talk about {thing}?",
    "What is the difference between {thing} and {other}?",
    "Which word means {meaning}?",
    "What do you call {meaning}?",
    "Is there a program for {task}?",
    "How do I get a {task}?",
    "What did the president say about {person}?",
    "What did the president say about {thing}?",
    "Does {thing} have anything to do with {other}?",
    "{thing} and {other}",
    "tell me about {thing}",
    "who invented {thing}",
]
SAID = [
    "{person} spoke about {thing} and {other}.",
    "{person}, known for {thing}, was born in {place}.",
    "I nominated {person} to lead the office of {thing}.",
    "{person} and {second} met in {place} to talk about {thing}.",
    "We honor {person} of {place} for work on {thing}.",
    "{person} is a {role}.",
    "A {role} named {person} moved to {place}.",
]


def templates(work, forms, count, seed):
    """Sentences made from `forms` with names, words and meanings in their gaps."""
    rng = random.Random(f"{SEED}/{seed}")
    all_synsets = list(synsets(work))
    things = [names[0] for names, _, file in all_synsets if 3 <= file <= 28 and file != 5 and file != 20]
    roles = [names[0] for names, _, file in all_synsets if file == 18 and names[0].islower()]
    places = [names[0] for names, _, file in all_synsets if file == 15 and names[0][0].isupper()]
    meanings = [definition(gloss) for _, gloss, _ in all_synsets]
    tasks = [synopsis for synopsis, _ in packages(work) if synopsis]
    names = people(work)
    for _ in range(count):
        yield rng.choice(forms).format(
            person=rng.choice(names),
            second=rng.choice(names),
            thing=rng.choice(things),
            other=rng.choice(things),
            role=rng.choice(roles),
            place=rng.choice(places),
            meaning=rng.choice(meanings),
            task=rng.choice(tasks),
        )


def build(work):
    """(training texts by kind, held-out texts by kind)."""
    entries = list(synsets(work))
    glosses = sample(unique(gloss for _, gloss, _ in entries), None, "glosses")
    described = sample(dict(packages(work)).items(), None, "packages")
    held_out = {
        "glosses": glosses[: HELD_OUT["glosses"]],
        "packages": unique(text for _, text in described)[: HELD_OUT["packages"]],
        "speech": sample(unique(passages(speeches(work, True), "speech", (1, 1, 1, 2, 2, 3, 5, 8)), 40), HELD_OUT["speech"], "speech held out"),
    }
    secret = set().union(*held_out.values())
    hidden = {definition(gloss) for gloss in held_out["glosses"]}
    open_entries = [(names, gloss) for names, gloss, _ in entries if definition(gloss) not in hidden]
    open_packages = [(s, text) for s, text in described if clean(text) not in secret]
    kinds = {
        "glosses": [g for g in glosses if definition(g) not in hidden],
        "lemmas": [f"{', '.join(names[:3])}: {definition(gloss)}" for names, gloss in open_entries],
        "usage": [text for _, gloss in open_entries for text in usages(gloss)],
        "packages": passages((text for _, text in open_packages), "packages", (1, 1, 2, 3, 4)),
        "synopses": [synopsis for synopsis, _ in open_packages],
        "speech": passages(speeches(work, False), "speech"),
        "novel": passages(novel(work), "novel"),
        "mail": passages(mails(work), "mail"),
        "factbook": passages(factbook(work), "factbook"),
        "sayings": sayings(work),
        "dialog": dialog(work),
        "interview": interview(work),
        "jargon": jargon(work),
        "manual": manual(work),
        "questions": templates(work, ASKED, WANTED["questions"], "questions"),
        "named": templates(work, SAID, WANTED["named"], "named"),
    }
    train = {kind: sample(unique(texts), WANTED[kind], kind) for kind, texts in kinds.items()}
    for kind, texts in train.items():
        assert secret.isdisjoint(texts), f"{kind} repeats a held-out text"
    return train, held_out
