"""Writes splits.json: what langchain-text-splitters 1.1.3 makes of many texts and parameters.

Run with that package installed: python make_splits.py > splits.json
A chunk that is a slice of its text is written as [start, end] in code points, any other as [text]; its start index
follows if it has one.
A difference from this file means that chunks, and so every index built from them, changed.
"""

import json
import logging
import re
import sys

from langchain_text_splitters import CharacterTextSplitter, Language, RecursiveCharacterTextSplitter

PROSE = (
    "The committee met on a rainy Tuesday. Nobody had read the report, and everybody had an opinion about it.\n\n"
    "\"We should begin with the budget,\" said the chair; the treasurer coughed.   Three people left early.\n"
    "A short line.\n\n\n\nThen came the questions: who pays, how much, and why now? No answer was written down,\n"
    "which is how most answers survive.\n\n  Indented end, with trailing blanks.   \n"
)
KOREAN = (
    "회의는 비 오는 화요일에 열렸다. 아무도 보고서를 읽지 않았지만 모두 의견이 있었다.\n\n"
    "의장은 예산부터 시작하자고 했고, 회계 담당자는 기침을 했다.\n세 사람이 일찍 나갔다.\u3000전각 공백도 있다.\n\n"
    "질문이 이어졌다: 누가, 얼마나, 왜 지금?"
)
EMOJI = "👩‍👩‍👧‍👦 family, e\u0301 combining, 🇰🇷 flag.\n\n👍🏽👍🏽 thumbs\u00a0up 🤖🤖🤖🤖🤖🤖🤖🤖🤖🤖🤖🤖\n\nZ\u0351\u036b\u0343algo te\u0302xt"
CODE = {
    "python": "import os\n\nclass Cart:\n    '''A cart.'''\n\n    def add(self, item):\n        self.items.append(item)\n\n\tdef odd(self):\n\t\tpass\n\n\ndef main():\n    if os.environ:\n        print('x' * 90)\n\nclass Empty: pass\n",
    "rust": "use std::fmt;\n\nconst N: usize = 3;\n\nfn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n\nfn main() {\n    let x = 1;\nlet y = 2;\nmatch x { _ => {} }\nfor i in 0..9 { loop { break } }\nwhile true {}\nif x > 1 { }\n}\n",
    "markdown": "# Title\n\nIntro text here.\n\n## Part one\n\nSome `code` and\n\n```\nblock of code\n```\n\n***\n\nMore *text* here.\n---\n### Deep\nline\n___\nend of it all, really\n#not a heading\n",
    "latex": "\\documentclass{article}\n\\chapter{One}\nText $a+b$ and $$c=d$$ more.\n\\section{Two}\n\\begin{itemize}\n\\item x costs $5\n\\end{itemize}\n\\begin{align}\nx &= y\n\\end{align}\n\\subsection{Three} words and words\n",
    "html": "<html><head><title>T</title><meta charset=x></head><body><div class=a><p>Para one</p><p>Para two is longer</p><ul><li>1<li>2</ul><table><tr><td>cell<td>cell</table></div><br>tail</body></html>",
    "js": "const a = 1;\nlet b = 2;\nfunction f(x) { return x }\nclass A { }\nif (a) { b }\nfor (;;) {}\nwhile (1) {}\nswitch (a) {\ncase 1: break\ndefault : x }\nvar z\n",
    "visualbasic6": "Option Explicit\nPublic Sub Run()\nIf x Then\nElse \ny = 1\nEnd If\nEnd Sub\nPrivate Function F()\nFor i = 1 To 3\nNext\nSelect  Case x\nCase 1\nEnd Select\nEnd Function\nStatic Property Get V()\nEnd Property\nDo While x\nLoop\nWith y\nEnd With\n",
    "rst": "Title\n=====\n\nText.\n\nPart\n----\n\n.. note\n\nA note.\n\n****\n\nEnd text of this.",
    "cobol": "IDENTIFICATION DIVISION.\nPROGRAM-ID. X.\nDATA DIVISION.\nWORKING-STORAGE SECTION.\n01 A PIC 9.\nPROCEDURE DIVISION.\nMOVE 1 TO A\nDISPLAY A\nIF A = 1\nELSE \nSTOP RUN.\n",
    "haskell": "module Main where\nimport qualified Data.Map\nmain :: IO ()\nmain = do\n  print 1\ndata T = T\nlet x = 1\nin x\n| otherwise = 2\n= {\n, b\n",
    "r": "library(x)\nf <- function(a) a\nsetClass(\"A\")\nif (a) b\nelse c\nfor (i in 1) i\nrepeat {}\nrequire(y)\nsetMethod(\"z\")\n",
}
OTHER = [
    "",
    " ",
    "\n\n",
    " \n\t\u3000\x1c\x1f\u2028 \n\n \x85 ",
    "\x1ca\x1f \x1db\x1e",
    "a",
    "abc def",
    "line one\r\nline two\r\n\r\nline three\rline four\r\n",
    "Donaudampfschifffahrtsgesellschaftskapitän " * 4,
    "x" * 130,
    "x" * 30 + "\n\n" + "y" * 50 + " " + "z" * 9,
    "a,b;c  d,,e;;f\tg--h---i.j..k (l) [m] {n}",
    "foo1bar22baz333qux4444",
    "\n\n\n\nleading and trailing\n\n\n\n",
    "same same same same same same same same",
    "one. two. three. four. five. six. seven. eight. nine. ten.",
    "price $5\nprice $6\n",
]
TEXTS = [PROSE, KOREAN, EMOJI, *OTHER, *CODE.values()]
KEEPS = [False, True, "start", "end"]
SIZES = [(1, 0), (3, 0), (10, 0), (10, 3), (10, 10), (25, 5), (40, 0), (40, 20), (100, 30), (1000, 0)]
LITERALS = ["\n\n", "\n", " ", "", ". ", "a", "---", "\r\n"]
REGEXES = [
    r"\n+", r"\s+", r"\s", r"\W+", r"\w+", r"\d", r"(?=\n)", r"(?<=\. )", r"(?<!a)b", r"[.!?]\s", r"x*", r"a|", r"|a", r"\b", r"$",
    r"(,)|(;)", r"(-)-+", r"([a-z])(\d+)", r"[,;]{1,2}", r"{", r"(?i)THE", r"\S{,3} ", r"[\s,;]+", r"^", r"\Z", r"(?m)^", r"(?m)$", r"(?i:the )", r"(?!a)",
]
SEPARATOR_LISTS = [None, ["\n\n", "\n", " "], ["\n", ". ", ""], [". ", " "], ["a"], ["", "a"], [" ", "\n"]]
REGEX_LISTS = [[r"\n\n+", r"\n", r"\.\s", r"\s", ""], [r"(?<=\. )", r"(?= )"], [r"\d+"], [r"x*", ""], [r"$", " ", ""]]


def lengths(name):
    return {"chars": len, "utf8": lambda text: len(text.encode()), "words": lambda text: len(text.split(" "))}[name]


def cases():
    """Each case: splitter, parameters, and which texts."""
    everything = range(len(TEXTS))
    n = 0
    for separators, regex in [(LITERALS, False), (REGEXES, True)]:
        for separator in separators:
            for keep in KEEPS:
                for size, overlap in SIZES:
                    n += 1
                    if n % 4 == 0:
                        yield "character", {"separator": separator, "is_separator_regex": regex, "keep_separator": keep, "chunk_size": size, "chunk_overlap": overlap}, everything[n % 9 :: 9]
    for separators, regex in [(SEPARATOR_LISTS, False), (REGEX_LISTS, True)]:
        for separator in separators:
            for keep in KEEPS:
                for size, overlap in SIZES:
                    n += 1
                    yield "recursive", {"separators": separator, "is_separator_regex": regex, "keep_separator": keep, "chunk_size": size, "chunk_overlap": overlap}, everything[n % 7 :: 7]
    for size, overlap in SIZES:
        for strip in [True, False]:
            for start in [True, False]:
                parameters = {"chunk_size": size, "chunk_overlap": overlap, "strip_whitespace": strip, "add_start_index": start}
                yield "recursive", parameters, everything[size % 2 :: 2]
                yield "character", {"separator": " ", **parameters}, everything[size % 3 :: 3]
                yield "character", {"separator": r"\s+", "is_separator_regex": True, **parameters}, everything[size % 4 :: 4]
        for length in ["utf8", "words"]:
            yield "recursive", {"length": length, "chunk_size": size, "chunk_overlap": overlap}, everything[::2]
            yield "character", {"length": length, "separator": "\n", "chunk_size": size, "chunk_overlap": overlap}, everything[1::2]
    names = list(CODE)
    for language in Language:
        if language == Language.PERL:
            continue
        own = [TEXTS.index(CODE[language.value])] if language.value in CODE else []
        other = TEXTS.index(CODE[names[len(language.value) % len(names)]])
        for size, overlap in [(20, 0), (40, 10), (80, 0)]:
            for keep in [True, False, "end"]:
                yield "recursive", {"language": language.value, "keep_separator": keep, "chunk_size": size, "chunk_overlap": overlap}, [*own, other]


def splitter(kind, parameters):
    arguments = {key: value for key, value in parameters.items() if key not in ("language", "length")}
    arguments["length_function"] = lengths(parameters.get("length", "chars"))
    if "language" in parameters:
        return RecursiveCharacterTextSplitter.from_language(Language(parameters["language"]), **arguments)
    return {"character": CharacterTextSplitter, "recursive": RecursiveCharacterTextSplitter}[kind](**arguments)


def encode(text, documents):
    out = []
    for document in documents:
        chunk = document.page_content
        at = text.find(chunk)
        entry = [at, at + len(chunk)] if at >= 0 else [chunk]
        out.append(entry + [document.metadata[key] for key in document.metadata])
    return out


def main():
    logging.disable()
    parameter_sets, answers, failed = [], [], 0
    for kind, parameters, texts in cases():
        parameter_sets.append({"kind": kind, **parameters})
        for index in texts:
            try:
                documents = splitter(kind, parameters).create_documents([TEXTS[index]])
            except (TypeError, IndexError, re.error):
                failed += 1  # the reference fails where groups take no part, and wraps flags in a group
                continue
            answers.append([len(parameter_sets) - 1, index, encode(TEXTS[index], documents)])
    separators = {language.value: RecursiveCharacterTextSplitter.get_separators_for_language(language) for language in Language if language != Language.PERL}
    print(f"{len(answers)} cases, {failed} failed", file=sys.stderr)
    golden = {"texts": TEXTS, "parameters": parameter_sets, "languages": separators, "answers": answers}
    json.dump(golden, sys.stdout, ensure_ascii=True, separators=(",", ":"))


main()
