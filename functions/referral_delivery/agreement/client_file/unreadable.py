"""What makes a file unreadable as fields: what should stand there, and what to do."""

from typing import NamedTuple


class Cause(NamedTuple):
    """What should stand there, and what to do."""

    expected: str
    do: str


class UnreadableFile(Exception):
    """A file cannot be read as fields."""

    def __init__(self, line: int | None, found: str, cause: Cause) -> None:
        super().__init__(found)
        self.line, self.found, self.cause = line, found, cause


UNKNOWN = Cause("lines such as `contact: crm@acme.example`", "compare the line, and the one above it, with an example")
SECOND_DOCUMENT = Cause(
    "one client in a file", "remove the line of three hyphens; a second client gets a file of its own"
)
TAG = Cause("a value without a tag (a word that begins with !)", "remove the tag, or put the whole value in quotes")
TOO_DEEP = Cause("fields as in the example files", "remove the brackets or blanks that nest the values so deep")

MERGE = Cause("a file without Git's conflict marks", "decide which side is right, and remove the marks")
TEMPLATE = Cause("a filled-in value", "replace the {{ … }} by the value; placeholders are not filled in here")
MAIL = Cause("a file without the marks of a quoted mail", "remove the `>` from the beginning of each line")
EQUALS = Cause(
    "a colon and a blank after a field's name", "write it as `name: value`; this is another format, such as TOML"
)
SECTION = Cause("a field's name and a colon", "write `name:`, and its fields below it, indented; this is TOML or INI")
COMMENT = Cause("no comment that begins with // or /*", "begin it with # and a blank, or remove it")
TAB = Cause("blanks at the beginning of the line, and found a tab", "replace each tab by two blanks")
HARD_BLANK = Cause(
    "plain blanks, and found a hard blank (U+00A0), as web pages and Word make them", "type the blanks anew"
)
WIDE_COLON = Cause("a plain colon and a blank", "type `: ` in the place of the wide colon")
KEY_LINES = Cause(
    "a public key in one line, and found it broken over several",
    "join its lines, or write `public_key: |` and the key below it, each line indented by two blanks more",
)
OPEN_QUOTE = Cause("a closing quote", "put the same quote at the value's end, or remove the one at its beginning")
AFTER_QUOTE = Cause(
    "nothing after the closing quote", "put the whole value in double quotes, or remove the quotes inside it"
)
COMMA = Cause("no comma at the end of the line", "remove the comma; each `- ` line is an item of its own")
OPEN_LIST = Cause("a closing ]", "put ] at the list's end")
OPEN_BRACE = Cause("a closing }", "put } at the end")
BACKSLASH = Cause("no backslash between double quotes", "use single quotes, or write the backslash twice")
COLON_INSIDE = Cause("one colon with a blank after it", "put the value in quotes: it holds a colon")
LINED_UP = Cause(
    "fields that belong together to begin in the same column", "line this one up with the others, with blanks"
)
HYPHEN_MISSING = Cause("a hyphen before each item of the list", "write `- ` before it, in line with the others")
NO_COLON = Cause("a name, a colon, a blank and a value", "write it as `name: value`, or join it to the line above")
NAME_OF_FIELDS = Cause(
    "`name:` where an attribute has fields of its own", "write `- name: …` in the line above, in the place of `- …`"
)
NO_VALUE = Cause(
    "a value in the place of a word that means nothing in YAML",
    "say `if_empty: …` beside `map:` for values that are not there; for the word itself put it in quotes",
)


def alias(name: str) -> Cause:
    return Cause("the value itself", f"a * refers to another place; write the value out, or put `*{name}` in quotes")


def twice(name: str, first: int) -> Cause:
    return Cause(f"{name} once; it stands in line {first} already", "remove one of them")


def too_long(characters: int, most: int) -> Cause:
    return Cause(
        f"at most {most:,} characters in a value, and found {characters:,}",
        "shorten it, or close the quote with which it begins",
    )
