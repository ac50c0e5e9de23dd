"""Python's side of conversations with libmp: every kind of address, with keys and without, both ways.

wire.py PROGRAM DIRECTORY: prints a line for each conversation that did not go as it should, and how many did.
"""
import os
import subprocess
import sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from multiprocessing.reduction import recv_handle, send_handle

program, directory = sys.argv[1:]
SIZES = (0, 1, 16384, 16385, 1 << 20, 70 << 20)
# Up to 3.11 it knows HMAC-MD5 only.
OLD = sys.version_info < (3, 12)
good, bad = 0, 0
count = 0


def conversation(what, run):
    global good, bad
    try:
        result = run()
    except Exception as e:
        result = repr(e)
    if result is None:
        good += 1
    else:
        bad += 1
        print("%s: %s" % (what, result))


def start(*args):
    return subprocess.Popen((program,) + args, stdout=subprocess.PIPE, universal_newlines=True)


def ended(child, want):
    said = child.stdout.read().strip()
    child.stdout.close()
    code = child.wait()
    return None if (said, code) == (want, 0) else "libmp said %r and left with %d" % (said, code)


def echoed(connection, is_local, sizes):
    """Sends messages and compares what comes back."""
    for size in sizes:
        data = os.urandom(min(size, 1 << 20)) * max(1, size >> 20)
        connection.send_bytes(data)
        if connection.recv_bytes() != data:
            return "%d bytes came back as something else" % size
    if is_local:
        ours, theirs = os.pipe()
        connection.send_bytes(b"descriptor")
        send_handle(connection, theirs, None)
        os.close(theirs)
        with os.fdopen(ours, "rb") as f:
            if f.read() != b"written":
                return "the descriptor did not arrive"
    return None


def echo(connection):
    """Sends back whatever comes, until the end."""
    try:
        while True:
            data = connection.recv_bytes()
            if data == b"descriptor":
                fd = recv_handle(connection)
                os.write(fd, b"written")
                os.close(fd)
            else:
                connection.send_bytes(data)
    except EOFError:
        return


def native(address):
    """Of an address of libmp's."""
    if address.startswith("@"):
        return "\0" + address[1:]
    if ":" in address:
        host, port = address.rsplit(":", 1)
        return host, int(port)
    return address


def calls(address, key, our_key, md5, want):
    """Python connects."""
    def run():
        child = start("listen", address, key, md5)
        to = native(child.stdout.readline().strip())
        try:
            connection = Client(to, authkey=our_key.encode() or None)
        except (AuthenticationError, EOFError, ConnectionResetError, BrokenPipeError):
            if want != "AUTH":
                child.kill()
                raise
            return ended(child, want)
        if want == "AUTH":
            child.kill()
            return "was let in"
        # The largest message once at each kind of address.
        result = echoed(connection, not isinstance(to, tuple), SIZES if key else SIZES[:-1])
        connection.close()
        return result or ended(child, want)
    return run


def is_called(address, key, our_key, md5, want):
    """Python listens."""
    def run():
        with Listener(address, authkey=our_key.encode() or None) as listener:
            at = listener.address
            if isinstance(at, tuple):
                at = "%s:%d" % at
            elif isinstance(at, bytes) or at.startswith("\0"):
                at = "@" + (at.decode() if isinstance(at, bytes) else at)[1:]
            child = start("connect", at, key, md5)
            try:
                connection = listener.accept()
            except (AuthenticationError, EOFError, ConnectionResetError, BrokenPipeError):
                if want != "AUTH":
                    child.kill()
                    raise
                return ended(child, want)
            if want == "AUTH":
                child.kill()
                return "was let in"
            echo(connection)
            connection.close()
            return ended(child, want)
    return run


def path():
    global count
    count += 1
    return os.path.join(directory, "s%d" % count)


for title, side in (("Client", calls), ("Listener", is_called)):
    tcp = "127.0.0.1:0" if side is calls else ("127.0.0.1", 0)
    abstract = "@wire-%d" % os.getpid() if side is calls else "\0wire-%d" % os.getpid()
    for kind, address in (("file", path), ("name", lambda: abstract), ("TCP", lambda: tcp)):
        md5 = "1" if OLD else "0"
        conversation("%s, %s, no key" % (title, kind), side(address(), "", "", "0", "fine"))
        conversation("%s, %s, key" % (title, kind), side(address(), "secret", "secret", md5, "fine"))
        conversation("%s, %s, wrong key" % (title, kind), side(address(), "secret", "wrong", md5, "AUTH"))
    if OLD:
        conversation("%s, HMAC-MD5 not allowed" % title, side(path(), "secret", "secret", "0", "AUTH"))
    else:
        conversation("%s, HMAC-MD5 allowed and not needed" % title,
                     side(path(), "secret", "secret", "1", "fine"))
print("Python %d.%d.%d: %d conversations went well, %d did not" % (sys.version_info[:3] + (good, bad)))
sys.exit(bad != 0)
