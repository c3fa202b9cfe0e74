#!/usr/bin/env python3
"""Measures Adze's executor beside ONNX Runtime and prints the tables of
plugins/tensor_exec/BENCHMARKS.md.

Usage: inference_table.py <build folder> [--repetitions 5] [--seconds 0.3]
       (ADZE_ONNXRUNTIME names ONNX Runtime's library: . ci/onnxruntime.sh)
Needs Debian's python3-torch and python3-torchvision (see export_models.py) and
dataset-fashion-mnist. Every ratio is the median of the ratios of repetitions that were measured
interleaved, so that other load on the machine strikes both alike. Takes about 10 minutes on a
machine with nothing else to do.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATASET = "/usr/share/datasets/fashion-mnist"
DATASET_SIZE = 10000
DATASET_BATCHES = (1, 16, 64, 256)
TIME = re.compile(r"^(.*)/(adze|onnxruntime)/real_time$")


def measure(bench, arguments, options):
    """{benchmark: {engine: [(milliseconds, of them computing) of each repetition]}}"""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        subprocess.run(
            [bench, *arguments, "--benchmark_filter=/(adze|onnxruntime)/",
             "--benchmark_report_aggregates_only=false", f"--benchmark_out={result.name}",
             f"--benchmark_min_time={options.seconds}",
             f"--benchmark_repetitions={options.repetitions}"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        runs = json.load(open(result.name))["benchmarks"]
    times = {}
    for run in sorted(runs, key=lambda run: run.get("repetition_index", 0)):
        match = TIME.match(run["run_name"])
        if match and run["run_type"] == "iteration":
            by_engine = times.setdefault(match[1], {})
            by_engine.setdefault(match[2], []).append((run["real_time"], run["cpu_time"]))
    return times


def medians(by_engine, clock):
    """Of the ratios, of Adze's times and of ONNX Runtime's."""
    own, peer = ([run[clock] for run in by_engine[e]] for e in ("adze", "onnxruntime"))
    ratios = [b / a for a, b in zip(own, peer)]
    return statistics.median(ratios), statistics.median(own), statistics.median(peer)


WALL, CPU = 0, 1
HEAD = "Adze | ONNX Runtime | ratio | ratio of CPU time |"


def cells(by_engine, threads, unit):
    """CPU time is that of the calling thread, so that it says something only when it is alone."""
    ratio, own, peer = (x for x in medians(by_engine, WALL))
    own_cpu = f"{medians(by_engine, CPU)[0]:.2f}" if threads == 1 else ""
    return f"{own / unit:.1f} | {peer / unit:.1f} | **{ratio:.2f}** | {own_cpu} |"


def speed_table(bench, models, options):
    print(f"| model | type | batch | threads | {HEAD}")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for model in models:
        for threads in (1, 2):
            times = measure(bench, [f"--threads={threads}", "--batches=1,16", model], options)
            for name, by_engine in sorted(times.items()):
                title, kind, batch = name.split("/")
                print(f"| {title} | {kind} | {batch.removeprefix('batch')} | {threads} | "
                      f"{cells(by_engine, threads, 1)}", flush=True)


def once(bench, engine, model):
    run = subprocess.run([bench, f"--once={engine}", model], check=True, capture_output=True)
    return map(float, run.stdout.split())


def load_table(bench, models):
    print("| model | type | Adze: load + compile s | peak MiB | ONNX Runtime: load s | peak MiB |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for model in models:
        columns = []
        for engine in ("adze", "onnxruntime"):
            runs = [list(once(bench, engine, model)) for _ in range(5)]
            seconds, peak = (statistics.median(column) for column in zip(*runs))
            columns += [f"{seconds:.2f}", f"{peak:.0f}"]
        kind = "int8" if model.stem.endswith("_q") else "fp32"
        print(f"| {model.stem.removesuffix('_q')} | {kind} | {' | '.join(columns)} |", flush=True)


def dataset_table(bench, models, options):
    """Each engine at the batch size that is fastest for it."""
    print("| model | type | threads | Adze | in batches of | ONNX Runtime | in batches of | ratio | "
          "ratio of CPU time |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    batches = ",".join(map(str, DATASET_BATCHES))
    for model in models:
        for threads in (1, 2):
            times = measure(bench, [f"--threads={threads}", "--batches=", f"--dataset={DATASET}",
                                    f"--dataset-batches={batches}", model], options)
            for kind in sorted({tuple(name.split("/")[:2]) for name in times}):
                best = {}
                for engine in ("adze", "onnxruntime"):
                    runs = {batch: times["/".join(kind) + f"/dataset{batch}"][engine]
                            for batch in DATASET_BATCHES}
                    seconds = {batch: statistics.median(run[WALL] for run in each) / 1000
                               for batch, each in runs.items()}
                    batch = min(seconds, key=seconds.get)
                    # What does not fill a batch was left out.
                    scale = DATASET_SIZE / (DATASET_SIZE // batch * batch)
                    best[engine] = batch, [tuple(x * scale for x in run) for run in runs[batch]]
                by_engine = {engine: runs for engine, (_, runs) in best.items()}
                ratio, own, peer = medians(by_engine, WALL)
                cpu_ratio = f"{medians(by_engine, CPU)[0]:.2f}" if threads == 1 else ""
                print(f"| {kind[0]} | {kind[1]} | {threads} | {own / 1000:.2f} | {best['adze'][0]} | "
                      f"{peer / 1000:.2f} | {best['onnxruntime'][0]} | **{ratio:.2f}** | {cpu_ratio} |",
                      flush=True)


def cpu():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)[1]
    flags = re.search(r"flags\s*: (.*)", text)[1].split()
    known = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8")
    return f"{name}, {os.cpu_count()} cores, {' '.join(flag for flag in known if flag in flags)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    if "ADZE_ONNXRUNTIME" not in os.environ:
        sys.exit("inference_table.py: ADZE_ONNXRUNTIME is not set: . ci/onnxruntime.sh")
    bench = options.build.resolve() / "bin" / "adze_bench_inference"
    os.environ.setdefault("ADZE_BINARY_DIR", str(options.build.resolve()))
    os.environ.setdefault("ADZE_SOURCE_DIR", str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        exported, written = pathlib.Path(folder, "exported"), pathlib.Path(folder, "written")
        subprocess.run(["/usr/bin/python3", ROOT / "tests/bench/export_models.py", exported],
                       check=True, stdout=subprocess.DEVNULL)
        written.mkdir()
        order = ("resnet50", "resnet18", "mobilenet_v2")
        subprocess.run([bench, f"--write={written}", *(exported / f"{m}.onnx" for m in order)],
                       check=True)
        load = os.getloadavg()[0]
        print(f"Machine: {cpu()}. Load before the start: {load:.1f}.\n")
        print("Milliseconds a batch:\n")
        speed_table(bench, [exported / f"{m}.onnx" for m in order], options)
        print("\nMemory is the peak of a process that loads the model and runs it once:\n")
        load_table(bench, [written / f"{m}{kind}.onnx" for m in order for kind in ("", "_q")])
        print("\nSeconds for the test images of Fashion-MNIST:\n")
        dataset_table(bench, sorted((ROOT / "fixtures/models").glob("*.onnx")), options)


main()
