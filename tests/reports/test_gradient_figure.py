"""The figure of gradients: every method and token is drawn, with its scale, and equal gradients give equal bytes."""

from tabpo.reports.gradient_figure import write_gradient_figure

TOKENS = (['{"id":', " $a$", "\n"], ['{"id":', "a token of many characters"])
DIFFERS = ([False, True, False], [False, True])
GRADIENTS = {"dpo": ([-0.05, -0.05, -0.05], [0.05, 0.05]), "none": ([0.0] * 3, [0.0] * 2)}


def test_every_method_and_token_is_drawn(tmp_path):
    for name in ("one.svg", "two.svg"):
        write_gradient_figure(tmp_path / name, TOKENS, DIFFERS, GRADIENTS, "demo, tiny")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert text.count("<!-- dpo  0.05 -->") == 2 and text.count("<!-- none  0 -->") == 2
    assert text.count('<!-- {"id": -->') == 2 and "<!-- ·$a$ -->" in text and "<!-- ⏎ -->" in text
    assert "<!-- a·token·of·many·c… -->" in text and "<!-- demo, tiny -->" in text
