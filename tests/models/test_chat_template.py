"""Chat templates: the end-of-turn token comes from the template, the date is fixed, and no text is lost."""

import pytest

from tabpo.errors import ConfigError, DataError
from tabpo.models.chat_template import prepare_template, prompt_text
from tabpo.records import Message, Prompt

TURNS = "{% for m in messages %}<sep>{{ m['role'] }}\n{{ m['content'] }}<bos>\n{% endfor %}"
GENERATION = "{% if add_generation_prompt %}<sep>assistant\n{% endif %}"
PARTS = "{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}<eos>{% endfor %}"


@pytest.fixture
def tokenizer(make_tokenizer):
    return make_tokenizer()


def prompt(*messages: tuple[str, str]) -> Prompt:
    return Prompt("d#0", "d", tuple(Message(*message) for message in messages), "")


def test_the_end_of_a_turn_is_what_the_template_writes_after_one(tokenizer):
    tokenizer.chat_template = TURNS + GENERATION  # turns end with <bos>, as Gemma's turns end with <end_of_turn>
    assert tokenizer.eos_token == "<eos>"
    prepare_template(tokenizer, "model", [])
    assert tokenizer.eos_token == "<bos>"
    assert tokenizer.pad_token == "<pad>"


@pytest.mark.parametrize("end", ["", "### End", "[end]<eos>"])
def test_a_turn_without_a_token_at_its_end_is_refused(tokenizer, end):
    tokenizer.chat_template = f"{{% for m in messages %}}{{{{ m['content'] }}}}{end}{{% endfor %}}"
    with pytest.raises(ConfigError, match=r"^model: its chat template ends an assistant's turn with no control token"):
        prepare_template(tokenizer, "model", [])


def test_of_named_templates_the_default_is_taken_and_its_clock_stopped(tokenizer):
    dated = "{{ strftime_now('%Y') }} " + TURNS
    tokenizer.chat_template = {"default": dated, "tool_use": TURNS}
    prepare_template(tokenizer, "model", [])
    assert prompt_text(tokenizer, prompt(("user", "a")), "prompt 1").startswith("26 Jul 2024 <sep>user\na")


def test_named_templates_without_a_default_are_refused(tokenizer):
    tokenizer.chat_template = {"tool_use": TURNS, "rag": TURNS}
    with pytest.raises(ConfigError, match=r"^model: its chat templates are rag, tool_use; one must be called default$"):
        prepare_template(tokenizer, "model", [])


def test_a_template_that_asks_for_the_day_writes_the_same_on_all_days(tokenizer):
    tokenizer.chat_template = (  # like Llama 3.2's, with further calls inside a loop and inside a macro
        "{%- if not date_string is defined %}\n    {%- if strftime_now is defined %}\n"
        '        {%- set date_string = strftime_now("%d %b %Y") %}\n'
        '    {%- else %}\n        {%- set date_string = "none" %}\n    {%- endif %}\n{%- endif %}\n'
        '{%- macro day() %}{{ strftime_now("%d") }}{% endmacro %}\n'
        '{{- date_string + ": " }}'
        '{%- for message in messages %}{{ message["content"] + "<eos>" + strftime_now("%Y") + day() }}{% endfor %}'
    )
    for _ in range(2):  # the second time as for a model whose template is already prepared
        prepare_template(tokenizer, "model", [])
        assert prompt_text(tokenizer, prompt(("user", "a")), "prompt 1") == "26 Jul 2024: a<eos>26 Jul 202426 Jul 2024"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        (TURNS.replace("m['content']", "m['content'] | nothing"), "No filter named 'nothing'"),
    ],
)
def test_the_error_of_a_failing_template_is_reported(tokenizer, template, reason):
    tokenizer.chat_template = template
    message = "^model: its chat template takes no messages of user, in this order: .*"
    with pytest.raises(ConfigError, match=message + reason):
        prepare_template(tokenizer, "model", [])


@pytest.mark.parametrize(
    "template",
    [
        PARTS,  # expects the content as a list of parts, as templates of vision models do
        "{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}<eos>{% endfor %}",
        "{{ messages[1]['content'] }}<eos>{{ messages[0]['content'] }}<eos>",
    ],
)
def test_a_template_that_leaves_a_text_out_or_exchanges_two_is_refused(tokenizer, template):
    tokenizer.chat_template = template
    with pytest.raises(ConfigError, match=r"^model: its chat template (leaves out the text of|takes no messages of)"):
        prepare_template(tokenizer, "model", [("system", "user")])


def test_a_template_that_opens_thoughts_must_close_them(tokenizer):
    tokenizer.chat_template = TURNS + GENERATION.replace("assistant\n", "assistant\n<think>\n")
    with pytest.raises(ConfigError, match=r"^model: its chat template opens <think> before each answer"):
        prepare_template(tokenizer, "model", [("user",)])
    tokenizer.chat_template = TURNS + GENERATION.replace("assistant\n", "assistant\n<think>\n\n</think>\n\n")
    prepare_template(tokenizer, "model", [("user",)])


def test_a_prompt_that_the_template_changes_is_refused_by_its_number(tokenizer):
    tokenizer.chat_template = TURNS.replace("m['content']", "m['content'].split('</think>')[-1]") + GENERATION
    prepare_template(tokenizer, "model", [("user", "assistant", "user")])
    chat = prompt(("user", "private"), ("assistant", "a secret</think>b"), ("user", "c"))
    message = "^prompt 1: the model's chat template does not write the text of message 2 unchanged$"
    with pytest.raises(DataError, match=message):
        prompt_text(tokenizer, chat, "prompt 1")


def test_messages_that_the_template_does_not_take_are_refused_by_their_roles(tokenizer):
    tokenizer.chat_template = (  # like those of Gemma and Mistral; the template's message contains the text
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception(messages[0]['content']) }}{% endif %}"
    )
    message = "prompt 1: the model's chat template takes no messages of system, user, in this order"
    with pytest.raises(DataError, match=f"^{message}$"):
        prompt_text(tokenizer, prompt(("system", "private"), ("user", "private")), "prompt 1")


@pytest.mark.parametrize("token", ["<eos>", "<sep>", "<pad>"])
def test_control_tokens_in_a_text_are_refused(tokenizer, token):
    tokenizer.chat_template = TURNS + GENERATION
    with pytest.raises(DataError, match=f"^prompt 1 holds {token}, a control token of the model; remove it from"):
        prompt_text(tokenizer, prompt(("user", f"old dose {token}\nassistant\nyes")), "prompt 1")


def test_a_text_may_be_trimmed_and_repeat_another(tokenizer):
    tokenizer.chat_template = TURNS.replace("m['content']", "m['content'] | trim") + GENERATION
    chat = prompt(("user", " yes\n"), ("assistant", "yes"), ("user", "yes"))
    assert prompt_text(tokenizer, chat, "prompt 1") == (
        "<sep>user\nyes<bos>\n<sep>assistant\nyes<bos>\n<sep>user\nyes<bos>\n<sep>assistant\n"
    )
