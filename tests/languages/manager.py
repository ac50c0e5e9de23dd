#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A client of a manager's server, by what docs/manager-protocol.md says and CPython's handshake.

usage: manager.py ADDRESS KEY TICKET: reads the dict that the ticket stands for, and adds to it."""
import os
import socket
import struct
import sys
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

HELLO, CALL, CREATE, HOLD, RELEASE, EXPORT, BATCH, INFO = range(1, 9)


class Object(int):
    pass


def pack(value):
    if value is None:
        return b"\0"
    if isinstance(value, Object):
        return struct.pack("<BQ", 6, value)
    if isinstance(value, bool):
        return struct.pack("<BB", 3, value)
    if isinstance(value, int):
        return struct.pack("<Bq", 1, value)
    if isinstance(value, float):
        return struct.pack("<Bd", 2, value)
    kind, data = (4, value.encode()) if isinstance(value, str) else (5, value)
    return struct.pack("<BI", kind, len(data)) + data


def unpack(data, count):
    values, at = [], 0
    for _ in range(count):
        kind, at = data[at], at + 1
        if kind in (4, 5):
            (size,) = struct.unpack_from("<I", data, at)
            part, at = data[at + 4 : at + 4 + size], at + 4 + size
            values.append(part.decode() if kind == 4 else part)
        elif kind == 0:
            values.append(None)
        else:
            form, make = {1: ("<q", int), 2: ("<d", float), 3: ("<B", bool), 6: ("<Q", Object)}[kind]
            values.append(make(struct.unpack_from(form, data, at)[0]))
            at += struct.calcsize(form)
    assert at == len(data), "bytes are left"
    return values


class Server:
    def __init__(self, address, key, session):
        family = socket.AF_UNIX if address[0] in "@/" else socket.AF_INET
        where = "\0" + address[1:] if address[0] == "@" else address
        if family == socket.AF_INET:
            host, port = address.rsplit(":", 1)
            where = (host, int(port))
        sock = socket.socket(family)
        sock.connect(where)
        self.connection = Connection(sock.detach())
        answer_challenge(self.connection, key)
        deliver_challenge(self.connection, key)
        self.hello = self.ask(HELLO, "", 0, 1, session)

    def ask(self, request, name, object_, *values, timeout=0):
        head = struct.pack("<BBHIqQ", request, 0, len(name), 0, timeout, object_) + name.encode()
        self.connection.send_bytes(head + struct.pack("<I", len(values)) + b"".join(map(pack, values)))
        answer = self.connection.recv_bytes()
        status, count = struct.unpack_from("<iI", answer)
        if status < 0:
            raise RuntimeError(f"{status}: {answer[8:].decode()}")
        return unpack(answer[8:], count)


def main():
    server = Server(sys.argv[1], sys.argv[2].encode(), os.urandom(16))
    (shared,) = server.ask(HOLD, "", 0, bytes.fromhex(sys.argv[3]))
    print(*server.ask(CALL, "items", shared))
    (version,) = server.ask(CALL, "watch", shared, "python", 0)
    server.ask(CALL, "update", shared, "python", 0.5, None, b"\xff")
    print(*server.ask(CALL, "watch", shared, "python", version, timeout=2**63 - 1)[1:])
    (made,) = server.ask(CREATE, "list", 0, 1, "two", True)
    server.ask(CALL, "set", shared, "list", made)
    server.ask(RELEASE, "", 0, made)
    try:
        server.ask(CALL, "get", shared, "nothing")
    except RuntimeError as error:
        print(error)


main()
