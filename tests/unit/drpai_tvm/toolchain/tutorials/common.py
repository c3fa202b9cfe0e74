"""What both compile scripts of the stand-in share."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

root = pathlib.Path(os.environ.get("TVM_ROOT", "."))


def failure():
    file = root / "fail"
    return file.read_text().strip() if file.exists() else ""


def record(**call):
    with open(root / "calls.jsonl", "a") as file:
        file.write(json.dumps(call) + "\n")


def arguments(quantized):
    """As the documentation lists them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model_file")
    parser.add_argument("-r", "--record_dir")
    parser.add_argument("-d", "--drp_compiler_dir", required=True)
    parser.add_argument("-t", "--toolchain_dir", required=True)
    parser.add_argument("-o", "--output_dir", required=True)
    parser.add_argument("-s", "--input_shape", required=True)
    parser.add_argument("-i", "--input_name", required=True)
    parser.add_argument("--level", default="1")
    if quantized:
        parser.add_argument("-n", "--num_frame", default="1")
        parser.add_argument("-c", "--quantization_tool", required=True)
        parser.add_argument("--images")
        parser.add_argument("-p", "--quantization_option", default="")
        parser.add_argument("-a", "--qat", action="store_true")
        parser.add_argument("-m", "--qat_type", default="")
    record(argv=sys.argv, cwd=os.getcwd(),
           environment={name: os.environ.get(name) for name in ("PRODUCT", "SPARSE_ENABLE", "TVM_NUM_THREADS")})
    return parser.parse_args()


def fail_early():
    os.environ["PRODUCT"]  # the scripts cannot do without
    kind = failure()
    if kind == "no_tvm":
        import tvm  # noqa: F401
    texts = {
        "operator": "tvm.error.OpNotImplemented: The following operators are not supported for frontend ONNX: Frobnicate",
        "versions": "[ERROR] DRP-AI Translator version mismatch: expected 1.04, found 1.01",
        "opset": "onnx.onnx_cpp2py_export.checker.ValidationError: Unrecognized opset for domain ai.onnx",
        "space": "OSError: [Errno 28] No space left on device",
        "permission": "PermissionError: [Errno 13] Permission denied: '/opt/drp'",
        "file": "FileNotFoundError: [Errno 2] No such file or directory: 'translator/run.sh'",
        "memory": "terminate called after throwing an instance of 'std::bad_alloc'",
        "shape": "ValueError: cannot reshape array of size 150528 into shape (1,3,64,64)",
        "unknown": "something nobody has seen before",
    }
    if kind in texts:
        print("[INFO] converting\n" + texts[kind], file=sys.stderr)
        sys.exit(1)
    if kind == "killed":
        os.kill(os.getpid(), 9)
    if kind == "crash":
        os.kill(os.getpid(), 11)
    if kind in ("hang", "hang_stubborn"):
        if kind == "hang_stubborn":
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        helper = subprocess.Popen(["sleep", "600"])
        (root / "helper.pid").write_text(str(helper.pid))
        print("[TVM] tuning", flush=True)
        while True:
            time.sleep(1)


def write_compiled(output, name, shape, interpreter):
    """MERA2's layout, or MERA1's when asked for."""
    kind = failure()
    output = pathlib.Path(output)
    if kind == "silent":
        return
    output.mkdir()
    (output / "preprocess").mkdir()
    (output / "preprocess" / "addr_map.txt").write_text("weight 0 ffffffff\n")
    for part in ("weight.bin", "drp_config.mem", "aimac_desc.bin"):
        (output / "preprocess" / part).write_bytes(b"\1\2\3")
    if kind == "half":
        print("[INFO] translating subgraph 2 of 3\nrun_translator: error 17", file=sys.stderr)
        sys.exit(17)
    if kind == "mera1":
        for part, text in (("deploy.json", "{}"), ("deploy.so", "ELF"), ("deploy.params", "p")):
            (output / part).write_text(text)
    else:
        folders = ["sub_0000__CPU_DRP_TVM", "sub_1_DRP_REENSAS"]
        if kind != "folder":
            for folder in folders:
                (output / folder).mkdir()
                (output / folder / "deploy.so").write_bytes(b"ELF")
        elements = 1
        for size in shape:
            elements *= size
        plan = {"execution": {"stages": [[[{"backend": "DRP_TVM_CPU", "folder": folders[0], "inputs": [name]}],
                                          [{"backend": "DRP_REENSAS", "folder": folders[1]}]]]},
                "memory": {"buffers": [{"name": name, "shape": shape, "data_type": "float32", "bytes_size": 4 * elements}]}}
        text = json.dumps(plan)
        (output / "mera.plan").write_text(text[:40] if kind == "cut_plan" else "" if kind == "empty_plan" else text)
        if kind != "folder":
            size = {"large": "30000000", "odd_map": "lots"}.get(kind, "8e6908")
            (output / folders[1] / "addr_map.txt").write_text(f"data_in 0 4b000\ndata 4b000 100000\nweight 14b000 {size}\n")
        if kind == "link":
            (output / "latest").symlink_to(folders[1])
    if interpreter and (root / "reference.bin").exists():
        (output / "interpreter_out").mkdir()
        (output / "interpreter_out" / "input_0.bin").write_bytes((root / "reference.bin").read_bytes())
        (output / "interpreter_out" / "ref_result_0_fp16.bin").write_bytes((root / "result.bin").read_bytes())
