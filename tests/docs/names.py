"""Compares docs/coming-from-python.md with this Python and with mp.h. Prints what is missing, and fails then."""

import importlib
import inspect
import re
import sys


def sections(page):
    """{module: [(names, the C cell)]}"""
    rows, module = {}, None
    for line in page.splitlines():
        if line.startswith("## "):
            module = line[3:].strip()
            rows[module] = []
        elif line.startswith("| `"):
            cells = line.strip("|").split("|")
            rows[module].append((re.findall(r"`([\w.*]+)`", cells[0]), cells[1]))
    return rows


def members(cls):
    """A class's own public names, without those of builtins that it happens to inherit."""
    foreign = (object, BaseException, str, bytes, dict, list, set)
    for name in dir(cls):
        owners = [c for c in cls.__mro__ if name in vars(c)]
        if name.startswith("_") or not owners or owners[0] in foreign:
            continue
        if owners[0].__module__.split(".")[0] in ("multiprocessing", "concurrent"):
            yield name


def public(module):
    """What a module has of its own, or says that it has."""
    listed = getattr(module, "__all__", ())
    for name in dir(module):
        it = getattr(module, name)
        if not name.startswith("_") and (name in listed or getattr(it, "__module__", None) == module.__name__):
            yield name, it


def missing(module, names, contexts):
    for name, it in public(module):
        if name not in names and name + ".*" not in names:
            yield name
        if not inspect.isclass(it) or name + ".*" in names:
            continue
        for member in members(it):
            bases = [c.__name__ for c in it.__mro__]
            of_context = any(b.endswith("Context") for b in bases) and member in contexts
            if not of_context and not any(b + "." + member in names or b + ".*" in names for b in bases):
                yield name + "." + member


def main():
    page, header = (open(path, encoding="utf-8").read() for path in sys.argv[1:3])
    rows = sections(page)
    wrong, checked = [], 0
    contexts = {name for names, _ in rows["multiprocessing"] for name in names}
    everywhere = {name for table in rows.values() for names, _ in table for name in names if "." in name}
    for name, table in rows.items():
        try:
            module = importlib.import_module(name)
        except ImportError:  # an older Python has not all of them
            continue
        names = {n for row, _ in table for n in row} | everywhere
        checked += sum(1 for _ in public(module))
        wrong += ["%s.%s has no row" % (name, n) for n in missing(module, names, contexts)]
        for row, cell in table:
            if not re.search(r"`mp_|`MP_|not yet|none", cell):
                wrong.append("%s: %s has no answer" % (name, ", ".join(row)))
    declared = set(re.findall(r"\b(?:mp|MP)_\w+", header))
    for name in re.findall(r"`((?:mp|MP)_\w+)(?:=\w+)?(?:\(\))?`", page):
        if name not in declared and name != "MP_LOG":
            wrong.append("%s is not in mp.h" % name)
    print("\n".join(wrong))
    print("%d names" % checked)
    sys.exit(1 if wrong or checked < 100 else 0)


main()
