"""Guesses about how answers go on."""

from tabpo.inference.drafts import Drafts, Text

END = 0


def text(prompt, answer):
    made = Text(prompt)
    made.extend(answer)
    return made


def test_nothing_is_guessed_at_first():
    assert Drafts(END).draft(Text([1, 2, 3, 1, 2]), 4) == []


def test_what_followed_in_ended_answers_is_guessed_while_it_is_likely():
    drafts = Drafts(END)
    for _ in range(9):
        drafts.learn(text([5], [6, 7, 8, END]))
    # 6 follows 5, 7 follows 6 and 8 follows 7 nine times of nine: (9 / 10)^3 = .73; what ends the answer is no guess
    assert drafts.draft(Text([4, 5]), 4) == [6, 7, 8]
    assert drafts.draft(Text([4, 5]), 2) == [6, 7]
    assert drafts.draft(Text([4, 5]), 0) == []
    for _ in range(9):
        drafts.learn(text([5], [6, 9, END]))
    # after 6 come 7 and 9 alike: 9 / 19 < .5
    assert drafts.draft(Text([4, 5]), 4) == [6]


def test_the_longer_context_is_asked_too():
    drafts = Drafts(END)
    for _ in range(9):
        drafts.learn(text([5], [1, 2, 3, END]))
        drafts.learn(text([5], [4, 2, 6, END]))
    assert drafts.draft(Text([9, 1, 2]), 4) == [3]
    assert drafts.draft(Text([9, 4, 2]), 4) == [6]


def test_copies_are_guessed_once_they_have_been_right():
    drafts, copying = Drafts(END), Text([1, 2, 3, 4, 5, 6, 7])
    drafts.extend(copying, [1])  # 7 has not been seen before: nothing to copy
    drafts.extend(copying, [2])  # after 1 came 2: one of one, counted as one of two
    assert drafts.draft(copying, 4) == [3]  # .5, then .25
    for token in (3, 4, 5):
        drafts.extend(copying, [token])
    # by one token right four of four times, 4 / 5; by two three of three, 3 / 4: .8, .64, .512
    assert drafts.draft(copying, 4) == [6, 7, 1]


def test_copies_are_not_guessed_after_they_were_wrong():
    drafts, copying = Drafts(END), Text([1, 2, 1, 2, 1, 3, 1])
    drafts.extend(copying, [2])  # after 1 came 3
    assert drafts.draft(copying, 4) == []
