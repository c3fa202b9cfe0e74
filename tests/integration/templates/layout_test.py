#!/usr/bin/env python3
"""The Rust bindings of the templates say what the C headers say: every struct, field, size, offset
and number.

Usage: layout_test.py <sdk folder> <C compiler>. Both compilers print what they see; the two texts
must be equal. The lists of structs and numbers come from the headers, so a new one that the bindings
lack is found too.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sdk, c_compiler = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
bindings = sdk / "templates/common/rust/src/adze.rs"
headers = [sdk / "include/adze" / name for name in
           ("abi.h", "host.h", "plugin.h", "pruner.h", "quantizer.h", "backend.h", "ext/calibration.h",
            "ext/onnx_bytes.h")]

if not shutil.which("rustc"):
    print("rustc is missing: ci/setup.sh test")
    sys.exit(1 if os.environ.get("CI") else 77)


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def rust_name(c_name):  # adze_stat_request -> StatRequest
    return "".join(word.capitalize() for word in c_name.removeprefix("adze_").split("_"))


rust = re.sub(r"//.*", "", bindings.read_text())
rust_fields = {name: [field.removeprefix("r#") for field in re.findall(r"pub ((?:r#)?\w+):", body)]
               for name, body in re.findall(r"#\[repr\(C\)\].*?pub struct (\w+) \{(.*?)\n\}", rust, re.S)}
c = without_comments("".join(header.read_text() for header in headers))
structs = sorted(set(re.findall(r"^(?:typedef )?struct (adze_\w+) \{", c, re.M)))
numbers = sorted(set(re.findall(r"\b(ADZE_\w+) = [^,}]+", c)) | {"ADZE_NONE", "ADZE_ABI_MAJOR", "ADZE_ABI_MINOR"})
assert len(structs) >= 20 and len(numbers) >= 50, (structs, numbers)

c_lines, rust_lines = [], []
for struct in structs:
    name = rust_name(struct)
    assert name in rust_fields, f"the bindings lack {struct}"
    c_lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
    rust_lines.append(f'println!("{struct} {{}}", std::mem::size_of::<adze::{name}>());')
    for field in rust_fields[name]:
        raw = f"r#{field}" if field in ("type", "impl") else field
        c_lines.append(f'printf("{struct}.{field} %zu %zu\\n", offsetof({struct}, {field}), '
                       f'sizeof((({struct}*)0)->{field}));')
        rust_lines.append(
            "{ let at = std::mem::MaybeUninit::<adze::%s>::uninit(); let base = at.as_ptr();"
            " let field = unsafe { std::ptr::addr_of!((*base).%s) };"
            ' println!("%s.%s {} {}", field as usize - base as usize, size_of_pointee(field)); }'
            % (name, raw, struct, field))
for number in numbers:
    assert re.search(rf"pub const {number.removeprefix('ADZE_')}: ", rust), f"the bindings lack {number}"
    c_lines.append(f'printf("{number} %lld\\n", (long long){number});')
    rust_lines.append(f'println!("{number} {{}}", adze::{number.removeprefix("ADZE_")} as i64);')

with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    shutil.copy(bindings, work / "adze.rs")
    (work / "c.c").write_text("#include <adze/adze.h>\n#include <stdio.h>\nint main(void) {\n"
                              + "\n".join(c_lines) + "\nreturn 0; }\n")
    (work / "rust.rs").write_text("mod adze;\nfn size_of_pointee<T>(_: *const T) -> usize { std::mem::size_of::<T>() }\n"
                                  "fn main() {\n" + "\n".join(rust_lines) + "\n}\n")
    subprocess.run([c_compiler, "-std=c17", f"-I{sdk}/include", "c.c", "-o", "c"], cwd=work, check=True)
    subprocess.run(["rustc", "--edition", "2021", "--cap-lints", "allow", "rust.rs", "-o", "rust"], cwd=work, check=True)
    of_c, of_rust = (subprocess.run([work / name], capture_output=True, text=True, check=True).stdout.splitlines()
                     for name in ("c", "rust"))
different = [f"  C: {left}   Rust: {right}" for left, right in zip(of_c, of_rust) if left != right]
print("\n".join(different) or f"{len(structs)} structs and {len(numbers)} numbers are equal")
sys.exit(bool(different) or len(of_c) != len(of_rust))
