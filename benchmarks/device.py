"""Whether the device that a benchmark is asked for is there."""


def check_device(name: str) -> None:
    """Refuse to measure on another one.

    Raises:
        SystemExit: "cuda" on a machine without.
    """
    import torch  # not by programs that only start others

    if name == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "this asks for a GPU, and torch sees none on this machine; without the option it runs on a CPU"
        )
