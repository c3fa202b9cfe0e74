#!/usr/bin/env python3
"""make_layout.py ADZE.ABI HEADERS > layout_1_0.c

Writes down what ABI 1.0 promises, as plain static assertions: size and slots of each struct from
abidw's description, numbers and ids from the headers themselves. abidiff does not see enumerators
of unnamed enums, nor macros, so nothing else guards those. Only `ci/abi.sh --refreeze` runs this.
"""
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

NOT_PROMISED = {"ADZE_ABI_NEWEST_MINOR", "ADZE_TARGET_MINOR", "ADZE_EXPORT", "ADZE_NOEXCEPT"}


def structs(description):
    found = {}
    for declared in xml.parse(description).iter("class-decl"):
        if declared.get("name", "").startswith("adze_") and declared.get("size-in-bits"):
            slots = [(member.find("var-decl").get("name"), int(member.get("layout-offset-in-bits")) // 8)
                     for member in declared.findall("data-member")]
            found[declared.get("name")] = (int(declared.get("size-in-bits")) // 8, slots)
    return dict(sorted(found.items()))


def enumerators(headers):
    for header in sorted(headers.rglob("*.h")):
        if "draft" in header.parts:
            continue
        code = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for body in re.findall(r"\benum\s*\{(.*?)\}", code, flags=re.S):
            for entry in filter(None, (part.strip() for part in body.split(","))):
                yield tuple(part.strip() for part in entry.split("="))


def macros(headers):
    listed = subprocess.run(
        ["cc", "-E", "-dM", "-DADZE_TARGET_MINOR=0", f"-I{headers}", "-include", "adze/adze.h", "-x", "c", "-"],
        input="", capture_output=True, text=True, check=True).stdout
    for name, value in re.findall(r"^#define (ADZE_\w+) (.+)$", listed, flags=re.M):
        if name not in NOT_PROMISED and not name.endswith("_H"):
            yield name, value


def main(description, headers):
    headers = pathlib.Path(headers)
    print("""/* What ABI 1.0 promises: the size and the slots of every struct, every number, every id. Written by
 * `ci/abi.sh --refreeze`; compiled as C11 and as C++ against today's headers. */
#include <adze/adze.h>
#include <stddef.h>

#ifndef __cplusplus
#define static_assert _Static_assert
#endif
#define SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#define SLOT(type, slot, offset) static_assert(offsetof(type, slot) == (offset), #type "." #slot)
#define NUMBER(name, value) static_assert((name) == (value), #name)
""")
    for name, (size, slots) in structs(description).items():
        print(f"SIZE({name}, {size});")
        for slot, offset in slots:
            print(f"SLOT({name}, {slot}, {offset});")
        print()
    for name, value in enumerators(headers):
        print(f"NUMBER({name}, {value});")
    print()
    texts = []
    for name, value in sorted(macros(headers)):
        if value.startswith('"'):
            texts.append((name, value))
        elif name == "ADZE_ABI_MINOR":
            print(f"NUMBER({name}, 0);")
        else:
            print(f"NUMBER({name}, {value});")
    print("""
/* C cannot compare texts while it compiles, C++ can. */
#ifdef __cplusplus
constexpr bool same(const char* a, const char* b) {
  return *a == *b && (*a == 0 || same(a + 1, b + 1));
}
#define TEXT(name, text) static_assert(same(name, text), #name)""")
    for name, value in texts:
        print(f"TEXT({name}, {value});")
    print("#endif")


main(*sys.argv[1:])
