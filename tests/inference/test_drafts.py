"""Guesses about how answers go on."""

from tabpo.inference.drafts import Drafts, Text

END = 0


def answered(drafts, prompt, answer):
    text = Text(prompt)
    drafts.extend(text, answer)
    return text


def test_a_text_is_its_prompt_and_its_answer():
    text = Text([1, 2])
    assert (text.ids, text.answer, text.answered) == ([1, 2], [], 0)
    text.append(7)
    assert (text.ids, text.answer, text.answered) == ([1, 2, 7], [7], 1)


def test_copies_go_on_behind_the_last_one():
    text = Text([5, 6, 5, 7])
    steps = []
    for token in (5, 9, 5, 6, 7, 5):
        text.append(token)
        steps.append((text.copied, text.place))
    # 5 is the first one, the next 5 the second; 6 does not come again, nor anything behind 7
    assert steps == [(True, 1), (False, 1), (True, 3), (False, 3), (True, 4), (False, 4)]


def test_nothing_is_guessed_at_first():
    assert Drafts(END).draft(Text([1, 2, 3, 1, 2]), 4) == []
    assert Drafts(END).draft(Text([1]), 4) == []


def test_what_followed_in_other_answers_is_guessed_while_it_is_likely():
    drafts = Drafts(END)
    for _ in range(9):
        answered(drafts, [4, 5], [6, 7, 8, END])
    # 6 follows 5, 7 follows 6 and 8 follows 7 nine times of nine: (9 / 10)^3 = .73; what ends the answer is no guess
    assert drafts.draft(Text([4, 5]), 4) == [6, 7, 8]
    assert drafts.draft(Text([4, 5]), 2) == [6, 7]
    assert drafts.draft(Text([4, 5]), 0) == []
    for _ in range(9):
        answered(drafts, [4, 5], [6, 9, END])
    # after 6 come 7 and 9 alike: 9 / 19 < .5
    assert drafts.draft(Text([4, 5]), 4) == [6]


def test_an_answer_that_goes_on_tells_others_how():
    drafts = Drafts(END)
    answered(drafts, [4, 5], [6, 7])
    assert drafts.draft(Text([4, 5]), 4) == [6]  # once of once is .5, and .25 with 7


def test_the_token_before_the_last_is_asked_too():
    drafts = Drafts(END)
    for _ in range(9):
        answered(drafts, [5], [1, 2, 3, END])
        answered(drafts, [5], [4, 2, 6, END])
    one, other = answered(drafts, [9], [1, 2]), answered(drafts, [9], [4, 2])
    assert drafts.draft(one, 4) == [3]
    assert drafts.draft(other, 4) == [6]


def test_copies_are_guessed_by_their_distance_in_the_prompt():
    drafts = Drafts(END)
    for word in range(20, 30):
        answered(drafts, [7, word, 8, 9], [word, END])
    assert drafts.draft(Text([7, 11, 8, 9]), 4) == [11]  # a word that was in no prompt before


def test_a_span_goes_on_until_a_word_that_ended_others():
    drafts = Drafts(END)
    for word in range(20, 38, 2):
        answered(drafts, [3, word, word + 1, 4, 9], [5, word, word + 1, 6, END])
    # behind 5 a word is skipped; a word behind a copied one was copied where it is known to go on, 4 ends the span
    assert drafts.draft(answered(drafts, [3, 20, 4, 9], [5]), 4) == [20, 6]


def test_no_copy_is_guessed_behind_the_prompt():
    drafts = Drafts(END)
    for _ in range(9):
        answered(drafts, [1, 7, 2], [2, END])
    assert drafts.draft(Text([1, 2]), 4) == []


def test_what_came_behind_a_token_tells_what_comes_the_next_time():
    drafts = Drafts(END)
    for word in range(20, 40, 2):  # between unlike words, 1 is followed by 2, then 3, then 4
        answered(drafts, [9, 8], [word, 1, 2, word + 1, 1, 3, word + 50, 1, 4, END])
    assert drafts.draft(answered(drafts, [9, 8], [11, 1, 2, 12, 1]), 1) == [3]
    assert drafts.draft(answered(drafts, [9, 8], [11, 1, 2, 12, 1, 3, 13, 1]), 1) == [4]
