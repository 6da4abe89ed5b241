"""Measure one GPU in eight minutes: gpu.json and gpu.md in a folder, written anew after each part.

Each part is a program of its own with its own time limit. A part that exceeds it is ended and keeps the rows that it
had printed; a part that fails keeps the end of its messages; a part whose packages are missing says which. The next
part starts in any case, so that an interrupted measurement still says what it has seen. Nothing is downloaded: weights
are random, and texts are generated. It needs torch 2.11, transformers 5.17 and the packages that `tabpo` imports.

    make gpu OUT=out/gpu
    python -m benchmarks.gpu --device cpu --output out/small    (in small, to try it)
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tabulate import tabulate

from benchmarks.device import check_device
from tabpo.artefacts import write_json, write_whole

Row = dict[str, Any]
MESSAGES = 1500
"""Number of characters that are kept of a failed part's messages."""


@dataclass(frozen=True)
class Part:
    """A program of this measurement.

    Attributes:
        name: Name in the results.
        title: Heading on the page.
        limit_s: Seconds after which the part is ended.
        command: Module and arguments; {device} and {folder} are filled in, and {peak} by what `facts` measured.
        needs: Packages without which the part is left out.
        only_gpu: Whether the part is left out on a CPU.
    """

    name: str
    title: str
    limit_s: int
    command: str
    needs: tuple[str, ...] = ()
    only_gpu: bool = False


_OWN = "benchmarks.gpu_parts {name} --device {device} --folder {folder}"
_PAIR_STEP = "benchmarks.pair_step --device {device} --precisions bf16 --losses dpo --negatives 1 --groups 1 --lora"
PARTS = (
    Part("facts", "The device", 40, _OWN),
    Part(
        "pair_step",
        "A step on pairs beside TRL and plain rows",
        110,
        _PAIR_STEP + " {shape} --peak {peak}",
        ("trl", "datasets"),
    ),
    Part("memory", "Memory beside its estimate", 40, _OWN, only_gpu=True),
    Part("attention", "FlexAttention beside SDPA", 60, _OWN, only_gpu=True),
    Part("losses", "A step of each kind of loss", 70, _OWN),
    Part("deepspeed", "ZeRO-2 and ZeRO-3 beside float32", 80, _OWN, ("deepspeed",)),
    Part("resume", "Kill and resume", 50, _OWN),
    Part("generation", "Generation", 30, _OWN),
)
SHAPES = {
    "cuda": "--model 1.5b --prompt 1200 --completion 300 --rounds 6",
    "cpu": "--model 4m --prompt 60 --completion 40 --rounds 2",
}


def main(argv: list[str] | None = None) -> None:
    """Run all parts, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--output", type=Path, required=True, help="folder for gpu.json and gpu.md")
    parser.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS], help="these parts only")
    parser.add_argument("--limit-factor", type=float, default=1.0, help="multiplies the time limits, for slow machines")
    args = parser.parse_args(argv)
    check_device(args.device)
    args.output.mkdir(parents=True, exist_ok=True)
    done: dict[str, Row] = {}
    for part in PARTS:
        if args.parts is None or part.name in args.parts:
            print(f"{part.name}: at most {part.limit_s * args.limit_factor:.0f} s", file=sys.stderr, flush=True)
            done[part.name] = measure(part, args.device, args.limit_factor, _peak(done))
            write_json(args.output / "gpu.json", {"device": args.device, "parts": done})
            write_whole(args.output / "gpu.md", page(args.device, done))


def measure(part: Part, device: str, factor: float, peak: float) -> Row:
    """Run one part; returns how it ended ("done", "cut", "failed", "left out"), its seconds, and its rows."""
    missing = [name for name in part.needs if find_spec(name) is None]
    if missing or (part.only_gpu and device == "cpu"):
        why = f"not installed: {', '.join(missing)}" if missing else "needs a GPU"
        return {"ended": "left out", "why": why, "seconds": 0.0, "rows": []}
    started, limit_s = time.monotonic(), part.limit_s * factor
    with TemporaryDirectory() as folder:
        filled = {
            "name": part.name,
            "device": device,
            "folder": f"{folder}/work",
            "shape": SHAPES[device],
            "peak": peak,
        }
        rows_file, messages_file = Path(folder, "rows"), Path(folder, "messages")
        with rows_file.open("w") as rows, messages_file.open("w") as messages:
            process = subprocess.Popen(
                [sys.executable, "-m", *part.command.format(**filled).split()],
                stdout=rows,
                stderr=messages,
                env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=limit_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
        result = {
            "ended": {None: "cut", 0: "done"}.get(code, "failed"),
            "seconds": round(time.monotonic() - started, 1),
            "rows": [json.loads(line) for line in rows_file.read_text().splitlines() if line.endswith("}")],
        }
        if code is None:
            result["why"] = f"it took longer than {limit_s:.0f} s"
        elif code:
            result["why"] = messages_file.read_text(errors="replace")[-MESSAGES:].strip()
        return result


def _end(process: subprocess.Popen) -> None:
    """End the part with all programs that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _peak(done: dict[str, Row]) -> float:
    """The device's TFLOP/s in bf16 products as `facts` measured it; 1 if it did not get so far."""
    rows = done.get("facts", {"rows": []})["rows"]
    return next((row["tflops"] for row in rows if row.get("product") == "bf16"), 1.0)


def page(device: str, done: dict[str, Row]) -> str:
    """Return the results as Markdown: how each part ended, then a table of each part's rows."""
    parts = {part.name: part for part in PARTS}
    lines = ["# One GPU" if device == "cuda" else "# In small on a CPU, to try the programs", ""]
    lines += [
        "Utilisation is a share of the bf16 matrix products that the first part measured. Weights are random.",
        "",
    ]
    heads = ["part", "ended", "seconds", "why"]
    ends = [[name, row["ended"], row["seconds"], _one_line(row.get("why", ""))] for name, row in done.items()]
    lines += [tabulate(ends, headers=heads, tablefmt="github"), ""]
    for name, row in done.items():
        if row["rows"]:
            flat = [_flat(values) for values in row["rows"]]
            lines += [f"## {parts[name].title}", "", _tables(flat), ""]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return text.splitlines()[-1].replace("|", "/") if text else ""


def _flat(row: Row) -> Row:
    """Return a row with nested values as columns of their own."""
    flat: Row = {}
    for key, value in row.items():
        flat |= {f"{key} {inner}": part for inner, part in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _tables(rows: list[Row]) -> str:
    """Return one table for consecutive rows with the same keys; a long row becomes a table of two columns."""
    tables: list[list[Row]] = []
    for row in rows:
        if tables and tables[-1][0].keys() == row.keys():
            tables[-1].append(row)
        else:
            tables.append([row])
    texts = []
    for same in tables:
        if len(same) == 1 and len(same[0]) > 8:
            texts.append(
                tabulate(list(same[0].items()), headers=["what", "value"], tablefmt="github", disable_numparse=True)
            )
        else:
            cells = [list(row.values()) for row in same]
            texts.append(tabulate(cells, headers=list(same[0]), tablefmt="github", disable_numparse=True))
    return "\n\n".join(texts)


if __name__ == "__main__":
    main()
