"""Check that the requested device of a benchmark exists."""


def check_device(name: str) -> None:
    """Refuse to measure on another device than the requested one.

    Raises:
        SystemExit: "cuda" was requested on a machine without a GPU.
    """
    import torch  # imported here, so that programs that only start others do not load it

    if name == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "this asks for a GPU, and torch sees none on this machine; without the option it runs on a CPU"
        )
