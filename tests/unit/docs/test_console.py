"""How console blocks of the documentation are read and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.console import ConsoleError, Shell, matches, read_blocks

PAGE = """
Text with `$ not a command`.

```console
$ echo one
one
$ cat <<'END'
> two
> END
two
```

<!-- not-local: needs an account -->
```console
$ buy
```

```python
$ no console
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_commands_are_read_with_their_continuations_and_output(page: Path) -> None:
    first, second = read_blocks(page)
    assert [(command.line, command.text, command.output) for command in first.commands] == [
        (5, "echo one", ("one",)),
        (7, "cat <<'END'\ntwo\nEND", ("two",)),
    ]
    assert (first.not_local, second.not_local) == ("", "needs an account")


@pytest.mark.parametrize("text", ["```console\none\n```\n", "```console\n$ echo one\n"])
def test_a_malformed_block_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(ConsoleError, match=r"page\.md:\d"):
        read_blocks(tmp_path / "page.md")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("", "\n"),
        ("one\ntwo", "one\ntwo\n"),
        ("one …", "one and two\n"),
        ("one\n…\nlast", "one\ntwo\nthree\nlast\n"),
        ("one\n…\nlast", "one\nlast\n"),
        ("took 1.0 s", "took 59.9 s\n"),
        ("took 1.0 s", "took 1 min 4 s\n"),
        (" ✓ a  voiceover  1.0 s\n ✓ b  mix  2.0 s\n end", " ✓ b    mix  12.5 s\n ✓ a    voiceover  1.1 s\n end\n"),
        ("http://127.0.0.1:1", "http://127.0.0.1:40000\n"),
        ("id 9b2f1c1e-0000-4000-8000-000000000000", "id aaaaaaaa-1111-4111-8111-bbbbbbbbbbbb\n"),
    ],
)
def test_what_differs_from_run_to_run_is_no_difference(shown: str, printed: str) -> None:
    assert matches(tuple(shown.splitlines()), printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("", "something\n"),
        ("one", "two\n"),
        ("one", "one\ntwo\n"),
        ("one\ntwo", "one\n"),
        ("one …", "two and one\n"),
        ("one\n…\nlast", "one\ntwo\n"),
        ("296 frames", "297 frames\n"),
        (" ✓ a  voiceover", " ✗ a  voiceover\n"),
        ("  indented", "indented\n"),
    ],
)
def test_everything_else_is(shown: str, printed: str) -> None:
    assert not matches(tuple(shown.splitlines()), printed)


def test_a_shell_keeps_its_variables_and_tells_exit_codes_and_errors(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with Shell(folder, {"PATH": "/usr/bin:/bin"}) as shell:
        assert shell.run("word=hello", 10) == (0, "")
        assert shell.run("echo $word; ls no-such-file 2>/dev/null || false", 10) == (1, "hello\n")
        assert shell.run("cat", 10) == (0, ""), "standard input is empty"
        with pytest.raises(ConsoleError, match="did not end within"):
            shell.run("sleep 30 & wait", 0.2)
