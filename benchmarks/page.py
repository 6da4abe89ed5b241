"""Make the page of all benchmarks from the rows that the programs printed.

python -m benchmarks.page > docs/benchmarks.md
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tabulate import tabulate

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


def main() -> None:
    """Print the page."""
    print("# Benchmarks\n")
    print(INTRODUCTION)
    for name, title, text, table in SECTIONS:
        rows = [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text().splitlines()]
        print(f"\n## {title}\n\n{text.strip()}\n\n{table(rows)}")
    print(f"\n## On a GPU\n\n{ON_A_GPU}")


def columns(**headings: str | Callable[[Row], Any]) -> Callable[[Iterable[Row]], str]:
    """Return a function that makes a Markdown table; each column is a key of the rows, or a function of a row."""

    def table(rows: Iterable[Row]) -> str:
        cells = [[column(row) if callable(column) else row[column] for column in headings.values()] for row in rows]
        heads = [name.replace("_", " ") for name in headings]
        return tabulate(cells, headers=heads, tablefmt="github", disable_numparse=True)

    return table


def methods(rows: list[Row]) -> str:
    """Return a table with a row for each loss, the cheapest first."""
    by_precision = {row["precision"]: row for row in rows}
    names = sorted(rows[0]["ratio"], key=lambda name: (rows[0]["ratio"][name], name))
    heads = ["loss", *(f"{what} {precision}" for precision in by_precision for what in ("ms", "x dpo"))]
    cells = [
        [name, *(row[what].get(name, "–") for row in by_precision.values() for what in ("step_ms", "ratio"))]
        for name in names
    ]
    return tabulate(cells, headers=heads, tablefmt="github", disable_numparse=True)


def pair_steps(rows: list[Row]) -> str:
    """Return three tables: speed and memory of every program, ratios, and each loss's share of the possible gain."""
    every, rows = rows, [row for row in rows if row["loss"] == "dpo"]
    programs = list(rows[0]["peak_mib"])
    speed = columns(
        precision="precision",
        prompts_a_step="groups",
        negatives="negatives",
        **{
            name: lambda row, name=name: f"{row['pairs_per_s'][name]} / {row['peak_mib'][name]:.0f}"
            for name in programs
        },
    )
    ratios = columns(
        precision="precision",
        prompts_a_step="groups",
        negatives="negatives",
        TRL_online="times_trl_online",
        TRL_online_with_our_reference_pass="times_trl_online_1",
        TRL_precomputed_over_1_method="times_trl_precomputed_1",
        over_10_methods="times_trl_precomputed_10",
        four_forward="times_four_forward",
        plain="shared_to_plain",
        of_the_ceiling="of_ceiling",
        memory_to_TRL_online="memory_to_trl_online",
    )
    return (
        f"Pairs a second / peak MiB ({rows[0]['machine']}):\n\n{speed(rows)}\n\n"
        f"How many times as fast as each, and the share of its memory:\n\n{ratios(rows)}\n\n"
        "Times as fast as plain rows / the share of what tokens alone would gain, by precision, prompts a step x "
        f"negatives:\n\n{ceilings(every)}"
    )


def ceilings(rows: list[Row]) -> str:
    """Return a table with a row for each loss."""

    def kind(row: Row) -> str:
        return f"{row['precision']}, {row['groups']} x {row['negatives']}"

    kinds = list(dict.fromkeys(map(kind, rows)))
    by_kind = {(row["loss"], kind(row)): row for row in rows}
    cells = []
    for loss in dict.fromkeys(row["loss"] for row in rows):
        ours = [by_kind[(loss, name)] for name in kinds]
        cells.append([loss, *(f"{row['shared_to_plain']:.2f} / {row['of_ceiling']:.2f}" for row in ours)])
    return tabulate(cells, headers=["loss", *kinds], tablefmt="github", disable_numparse=True)


INTRODUCTION = """\
`python -m benchmarks.page` makes this page from `benchmarks/results/`, which holds the rows that each program printed.
Programs that are compared take turns in one run. Times on a CPU are process times with one thread, because other
programs used the machine too; compare ratios, not seconds. Nothing was measured on a GPU. The commands for a GPU are
given, but nobody has run them.

| section | measured | at commit |
|---|---|---|
| A step on pairs | 2026-11-21 | 61075f3 |
| A step of SFT | 2026-11-21 | 3bd8c9b |
| Attention over a packed row | 2026-12-01 | 45413d5 |
| A step of every loss | 2026-11-21 | 31b5a6f |
| Token weights of OTPO | 2026-11-21 | ae62a70 |
| Reading answers, scoring, pairs | 2026-12-01 | 45413d5 |
| Memory of the paper's models | 2026-11-21 | 4de74df |
| Planning the paper's study | 2026-12-01 | 7b781e0 |

The steps on pairs, of SFT and of every loss were measured while a CPU computed attention in tiles, which were removed
on 2026-12-01 (see "Attention over a packed row"). They have not been measured again."""

ON_A_GPU = """\
`make gpu OUT=<folder>` measures one GPU in eight minutes with the Python that is there, and writes `gpu.json` and
`gpu.md`: a step of 1.5B parameters with adapters beside TRL and plain rows, memory beside `benchmarks.memory`,
FlexAttention beside SDPA, a step of every kind of loss, ZeRO-2 and ZeRO-3 beside float32, kill and resume, and
generation. Each part has a time limit of its own, so an interrupted measurement keeps what it has measured. It has not
been run on a GPU; all parts but memory and FlexAttention ran with a small model on a CPU (`python -m benchmarks.gpu
--device cpu --output <folder>`).

The commands below take longer. They have not been run on a GPU either. The first ones were run on a CPU with a small
model (4.2M parameters, `dpo` and `tab_po`, ten steps, one process): under ZeRO-2 and ZeRO-3 the losses differed from
those without DeepSpeed by at most 0.0003.

`config/gpu.yaml` trains every loss for 50 steps through its rule, in the shape of Qwen2.5-1.5B with random weights: in
float32 without DeepSpeed, then in bfloat16 under ZeRO-2 and ZeRO-3. `curves` compares the losses of each run with
those in float32: it prints the mean difference of a step's losses as a share of the largest loss, and ends with exit
code 1 if a share is above 0.05.

    make demo
    python -m benchmarks.random_model --tokenizer results/demo/demo_abstracts/tiny/base --output results/gpu/model
    run() { snakemake --profile profiles/local --configfile config/gpu.yaml --config results=results/gpu/$1 "${@:2}"; }
    bf16="models={random: {precision: bf16}}"
    run fp32
    run zero2 "$bf16" "training={preference: {deepspeed: zero2}}"
    run zero3 "$bf16" "training={preference: {deepspeed: zero3}}"
    python -m benchmarks.curves results/gpu/fp32 results/gpu/zero2 results/gpu/zero3

A run that is killed after its first checkpoint and started again ends with the same bytes:

    dpo=demo_abstracts/random/dpo/seed1
    again() { run killed "$bf16" "training={preference: {deepspeed: zero2}}" -- results/gpu/killed/$dpo/run.yaml; }
    again & until ls results/gpu/killed/checkpoints/*+dpo+*/*/*/COMPLETE; do sleep 1; done
    kill -KILL $(cut -d' ' -f2 results/gpu/killed/checkpoints/*+dpo+*/lock); wait
    again
    cmp results/gpu/zero2/$dpo/model/model.safetensors results/gpu/killed/$dpo/model/model.safetensors

Four-bit weights need `pip install bitsandbytes` and `lora: {quantize: nf4}`. The sections above give each program's
command for a GPU; on a machine without a GPU the programs end with a message."""

SECTIONS = [
    (
        "pair_step",
        "A step on pairs",
        """
Generated pairs that differ in one to three tokens, prompt 200 and completion 120 tokens, vocabulary 4,096, Qwen2 of
4.2M parameters, four prompts a step with all their negatives.

| program | what it does |
|---|---|
| `shared` | what `train` runs: one packed row, in which completions of a prompt share their prefix |
| `plain` | a padded row for each completion |
| `four_forward` | the step of TAB-PO's released code, written again |

The ceiling is the gain if time were proportional to tokens: the tokens of plain rows over those of the shared row, all
passes of a step together. The gain stays below it for two reasons. Casts of weights, clipping, AdamW and the calls of
kernels take the same time in both; this counts most in small steps, which the rows with one prompt a step show
(`--groups 1`). And the output head reads completions alone, which share less: with four negatives plain rows have 4.1
times the tokens, but 2.3 times the scored states.

The memory allocator of glibc has its usual settings. If it keeps freed memory (`MALLOC_MMAP_THRESHOLD_=1073741824`,
`MALLOC_TRIM_THRESHOLD_=4294967296`), TRL gains most: in bf16 `shared` was then 2.8 times (one negative) and 5.7 times
(four negatives, one prompt a step) as fast as TRL online, with 0.38 and 0.28 of its memory.

    python -m benchmarks.pair_step
    python -m benchmarks.pair_step --device cuda --model 1.5b --prompt 1200 --completion 300 --precisions bf16 --lora \\
        --peak 989
""",
        pair_steps,
    ),
    (
        "sft_step",
        "A step of SFT",
        """
Generated examples with prompts of 100 to 300 and completions of 40 to 200 tokens, eight a step; the model is the one
above. `packed` is what `sft` runs, `padded` reads a padded row for each example. TRL's SFTTrainer packs by best fit
without cutting examples, and uses SDPA, which is faster for its rows than the eager kernel.

    python -m benchmarks.sft_step
    python -m benchmarks.sft_step --device cuda --model 1.5b --prompts 600 1800 --completions 100 500 --precisions bf16
""",
        columns(
            precision="precision",
            **{
                f"{name}, tokens a second / MiB": lambda row, name=name: (
                    f"{row['tokens_per_s'][name]} / {row['peak_mib'][name]:.0f}"
                )
                for name in ("packed", "padded", "trl")
            },
            times_padded="times_padded",
            times_TRL="times_trl",
            memory_to_TRL="memory_to_trl",
        ),
    ),
    (
        "attention",
        "Attention over a packed row",
        """
Forward and backward of one batch of pairs that share their prompts, in the shape of SmolLM2-135M (30 layers, width 576,
9 heads over 3; prompts of 60 to 120, completions of 100 to 200 tokens) and of the demo (3 layers, width 128, 2 heads).
A block is a prompt with its first completion, or what another completion adds to them. `train` calls the kernel that
`models.<name>.attention` names once for each block: eager or SDPA. The last two columns are the time of a pass
divided by the time with the eager kernel (median of the rounds, with the smallest and the largest): with SDPA for
each block, and with one call of SDPA for the whole row and a mask of what each token sees. Each round has a new
batch, as each step of training has, because a bfloat16 product is compiled again for every new size. On a CPU take
`eager` for bf16 and `sdpa` for fp32.

Until 2026-12-01 a CPU computed this attention in tiles of 128 tokens, with a backward pass of our own. Before they
were removed (2026-12-01, commit e47aaa5, five rounds) a pass with the eager kernel took 1.04 (fp32) and 1.09 (bf16)
times as long as with tiles in SmolLM2's shape, and 1.05 and 1.42 times in the demo's. Less than 1.2 times in
SmolLM2's shape was too little for code of our own.

    ONEDNN_PRIMITIVE_CACHE_CAPACITY=512 python -m benchmarks.attention
""",
        columns(
            shape="shape",
            precision="precision",
            tokens="tokens",
            eager_s="eager_s",
            **{
                heading: lambda row, name=name: "{:.2f} ({:.2f} to {:.2f})".format(*row["to_eager"][name])
                for name, heading in (("blocks_sdpa", "SDPA by block"), ("whole_row", "SDPA by row"))
            },
        ),
    ),
    (
        "method_step",
        "A step of every loss",
        """
The model and the pairs are those of `config/demo_full.yaml`, or of the demo (`make demo`). The trainer is the one that
`train` runs; anchors are sampled before the measurement.

    python -m benchmarks.method_step --results results/demo_full
    python -m benchmarks.method_step --gpus 1
""",
        methods,
    ),
    (
        "otpo_weights",
        "Token weights of OTPO",
        """
The loss computes the weights of a whole batch at once. POT is called for each pair, with tensors as in the authors'
code (`pot_torch`) and with arrays (`pot_numpy`). The size is pairs x tokens x width. States are in single precision, as
in training. The last two columns are the largest errors of the weights, measured against POT in double precision; there
both agree to 1e-6, which tests check. At the larger size a single matrix product takes more than half of our time,
because all completions are padded to the longest.

    python -m benchmarks.otpo_weights
    python -m benchmarks.otpo_weights --device cuda
""",
        columns(
            size=lambda row: " x ".join(map(str, row["size"])),
            ot_reg="ot_reg",
            peer="peer",
            peer_ms="peer_ms",
            ours_ms="ours_ms",
            times="ratio",
            peer_off=lambda row: f"{row['peer_off']:.1g}",
            ours_off=lambda row: f"{row['ours_off']:.1g}",
        ),
    ),
    (
        "parse",
        "Reading answers",
        """
Strict parsing of damaged gold answers of SciERC. The last rows are single huge answers, with the seconds by number of
characters.

    python -m benchmarks.parse
""",
        columns(
            damage=lambda row: row.get("damage", row.get("huge")),
            answers=lambda row: row.get("answers", 1 if "huge" in row else ""),
            a_second=lambda row: row.get("per_second", ""),
            seconds=lambda row: ", ".join(
                f"{int(size):,}: {seconds}" for size, seconds in row.get("seconds_by_characters", {}).items()
            ),
        ),
    ),
    (
        "score",
        "Scoring",
        """
SciERC's test split under all conventions, in seconds.

    python -m benchmarks.score
""",
        columns(
            unit="unit",
            units="units",
            conventions=lambda row: row["seconds"]["conventions"],
            whole_file=lambda row: row["seconds"]["file"],
        ),
    ),
    (
        "pairs",
        "Pairs",
        """
Rejected answers for all of SciERC's training prompts with four negatives each, in seconds.

    python -m benchmarks.pairs
""",
        columns(
            unit="unit",
            confusions="confusions",
            negatives="negatives",
            pairs="pairs",
            seconds=lambda row: row["seconds"]["pairs"],
            median_token_edits=lambda row: f"{row['token_edit_distance']['p50']:.0f}",
        ),
    ),
    (
        "memory",
        "Memory of the paper's models",
        """
GiB on each GPU at the peak of a preference step, with one pair (prompt 1,200, completion 300 tokens) in a micro-batch
and the adapters and the ZeRO stage of `config/config.yaml`. They are counted on torch's meta device, not measured.

    python -m benchmarks.memory
""",
        columns(
            model="model",
            GPUs="gpus",
            ZeRO=lambda row: "-" if row["zero"] is None else row["zero"],
            parameters=lambda row: f"{row['parameters'] / 1e9:.2f}B",
            trained=lambda row: f"{row['trained'] / 1e6:.0f}M",
            weights="weights_gib",
            checkpointed_activations="checkpointed_gib",
            one_layer="one_layer_gib",
            peak="peak_gib",
        ),
    ),
    (
        "plan",
        "Planning the paper's study",
        """
`snakemake -n` of `config/config.yaml` with `profiles/slurm`, in a process of its own, with five seeds and with one: its
user and system time, its largest resident memory, what it prints, all jobs, and those that are submitted to Slurm (a
group of jobs counts once). Of the memory, 145 MiB are Snakemake and its Slurm plugin with pandas before a study is
read. About 17 processes shared two cores (AMD EPYC) meanwhile, which makes CPU seconds longer than those of an idle
machine. Compare the rows with five seeds: the first is the code before small jobs were joined and tables named fewer
inputs. With its loop's time taken into account, planning takes about half the CPU time now, and grows in proportion to
the jobs. Twenty-five seeds, the default of the program, were not measured to the end. `loop` is the time of ten million
additions at the end of each row.

    python -m benchmarks.plan
""",
        columns(
            code="code",
            seeds="seeds",
            CPU_s="cpu_s",
            loop_s="loop_s",
            peak_MiB="peak_mib",
            output_MB="output_mb",
            jobs="jobs",
            scheduler_jobs="scheduler_jobs",
        ),
    ),
    (
        "large_study",
        "Tables of a large study",
        """
All tables with their tests, macros, costs, and the figures of scores, training and erosion of the demo's two data sets,
as if the demo had 14 models and 30 seeds: 13 tables of up to 5,040 runs and 58 figures. The runs are copies of the
demo's, so that files have their real sizes. Wall time and CPU seconds are those of Snakemake with two jobs at a time on
two shared cores without AVX-512; memory is that of the largest process.

    make demo && python -m benchmarks.large_study
""",
        columns(runs="runs", cores="cores", wall_s="wall_s", CPU_s="cpu_s", largest_process_MB="largest_process_mb"),
    ),
]

if __name__ == "__main__":
    main()
