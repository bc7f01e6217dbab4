"""What is shown, with and without a terminal."""

import io

from beyondmimic_diffusion.session.console import Console, bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_the_living_line_is_plain_and_rare():
    stream = io.StringIO()
    console = Console(stream)
    for i in range(100):
        console.live(f"line {i}")
    console.say("done")
    assert stream.getvalue() == "line 0\ndone\n"


def test_on_a_terminal_the_living_line_replaces_itself_and_makes_way_for_lines_that_stay():
    stream = Terminal()
    console = Console(stream)
    console.live("one")
    console.live("two")
    console.say("stays")
    console.say("too")
    assert stream.getvalue() == "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[Kstays\ntoo\n"


def test_bars_fill_from_empty_to_full_and_never_beyond():
    assert bar(0.0, 4) == "...."
    assert bar(0.5, 4) == "##.."
    assert bar(1.7, 4) == "####"
