"""JSON, YAML and tables spoilt by what they hold: values, keys, columns and their quoting."""

from __future__ import annotations

import csv
import io
import json
import re
from random import Random
from typing import Any

from tests.fuzz.mutators import NUMBERS, PATHS, TEXTS, mutate_text, times

# What a value may be replaced by; written as such, so that no writer has to know it.
_RAW = (
    *("9" * 400, "-" + "9" * 5000, "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1.5e-400"),
    *("0.1", "-0", "null", "true", "[]", "{}", "[[]]", '{"a": {}}', '"\\ud800"', '"\\u0000"'),
    *("[" * 500 + "]" * 500, "[" * 100_000, '{"a":' * 2000 + "1" + "}" * 2000, "1" * 4301),
    *('"' + "x" * 100_000 + '"', "[1, 2, 3]", '["a", null, 3]', "[[1, 2], [3]]", "{'a': 1}", "01"),
)
_MARKED = re.compile(r'"raw-value-(\d+)"')
_YAML_VALUES = (
    *("2024-01-01", "2024-13-45", "12:30:45", "0o17", "0x_", "0b", "1_000", "1:60:60", ".inf"),
    *(".nan", "!!python/object/apply:os.system [true]", "!!binary x", "!!set {a}", "!foo bar"),
    *("!!timestamp x", "!!int abc", "!!float x", "!!omap [a: 1]", "*missing", "&a [*a]", "<<: 1"),
    *("&a {b: *a}", "? [a]", "{? {a: 1} : 2}", "|", ">-", "%TAG", "---", "...", "@x", "`x", "\t"),
    *("['001-99999999']", "['1-1000000000000']", "['a-b']", "['9-1']", "[001-010]", "010", "1e4"),
    *("{name: x}", "[1, [2, [3]]]", "'" + "x" * 5000 + "'", "[" * 300 + "]" * 300, "!!null x"),
    *("!!bool maybe", "!!str", "=", "1.", "._", "+", "-", "~", "0777777777777777777777777"),
)
_LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)


def mutate_json(random: Random, data: bytes) -> bytes:
    """Spoil JSON by its values and keys, or by its text."""
    if random.random() < 0.2:
        return mutate_text(random, data)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_text(random, data)
    for _ in range(times(random)):
        content = _spoilt(random, content)
    text = json.dumps(content, ensure_ascii=random.random() < 0.7)
    text = _MARKED.sub(lambda found: _RAW[int(found[1])], text)
    if random.random() < 0.03:
        text = text[:-1] + ', "x": 1' * random.choice((1, 1000)) + text[-1:]
    data = text.encode("utf-8", "surrogatepass")
    return b"\xef\xbb\xbf" + data if random.random() < 0.03 else data


def mutate_lines(random: Random, data: bytes) -> bytes:
    """Spoil lines of JSON."""
    lines = data.split(b"\n")
    place = random.randrange(len(lines))
    draw = random.random()
    if draw < 0.6:
        lines[place] = mutate_json(random, lines[place] or b"{}")
        return b"\n".join(lines)
    if draw < 0.8:
        lines[place] = lines[place][: random.randrange(len(lines[place]) + 1)]
        return b"\n".join(lines)
    return mutate_text(random, data)


def _spoilt(random: Random, content: Any) -> Any:
    """The same with something else somewhere in it."""
    if isinstance(content, dict) and content and random.random() < 0.85:
        key = random.choice(list(content))
        draw = random.random()
        if draw < 0.12:
            return {each: content[each] for each in content if each != key}
        if draw < 0.2:
            return {_key(random) if each == key else each: content[each] for each in content}
        return {**content, key: _spoilt(random, content[key])}
    if isinstance(content, list) and content and random.random() < 0.75:
        place = random.randrange(len(content))
        draw = random.random()
        if draw < 0.15:
            return content[:place] + content[place + 1 :]
        if draw < 0.25:
            return content + content[place : place + 1] * random.choice((1, 2, 500))
        return [*content[:place], _spoilt(random, content[place]), *content[place + 1 :]]
    return _value(random, content)


def _key(random: Random) -> str:
    return random.choice((*TEXTS, *PATHS, "PROBE_SET", "run", "1", "rank_pct"))


def _value(random: Random, old: Any) -> Any:
    match random.randrange(6):
        case 0:
            return random.choice(NUMBERS)
        case 1:
            return random.choice((*TEXTS, *PATHS))
        case 2:
            return [old]
        case 3:
            return {"a": old}
        case _:
            return f"raw-value-{random.randrange(len(_RAW))}"


def mutate_yaml(random: Random, data: bytes) -> bytes:
    """Spoil YAML by the values behind its colons, or by its text."""
    if random.random() < 0.25:
        return mutate_text(random, data)
    lines = data.decode().split("\n")
    for _ in range(times(random)):
        place = random.randrange(len(lines))
        line = lines[place]
        head, colon, _ = line.partition(": ")
        if not colon:
            head, colon, _ = line.partition(":")
        indent = line[: len(line) - len(line.lstrip())]
        match random.randrange(7):
            case 0:
                lines.insert(
                    place,
                    indent
                    + random.choice(
                        (
                            "1: 2",
                            "null: 3",
                            "? [a]",
                            "2024-01-01: x",
                            "true: 1",
                            "[a]: b",
                            "{}: x",
                            "x: y",
                            "<<: {a: 1}",
                            "- x",
                            "'': 1",
                        )
                    ),
                )
            case 1:
                lines[place] = random.choice(("  ", "\t", "")) + line
            case 2:
                return f"{_LAUGHS}\n{data.decode()}".encode()
            case 3:
                lines[place] = (
                    f"{head}{colon or ': '}*a9" if random.random() < 0.5 else f"{head}: &x [*x]"
                )
            case _:
                lines[place] = f"{head}{colon or ': '}{random.choice(_YAML_VALUES)}"
        if random.random() < 0.02:
            lines.append("---\na: b")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def mutate_table(random: Random, data: bytes) -> bytes:
    """Spoil a table of comma-separated values by its cells and columns, or by its text."""
    if random.random() < 0.25:
        return mutate_text(random, data)
    rows = list(csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
    for _ in range(times(random)):
        if rows:
            _spoil_table(random, rows)
    out = io.StringIO()
    quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(out, lineterminator=random.choice(("\n", "\n", "\r\n")), quoting=quoting)
    writer.writerows(rows)
    text = out.getvalue()
    if random.random() < 0.05:
        text = text.replace(",", random.choice((";", "\t", ",,")), random.choice((1, -1)))
    if random.random() < 0.05:
        text = random.choice(('"', "\ufeff", "\n", "#", "\0")) + text
    return text.encode("utf-8", "surrogatepass")


def _spoil_table(random: Random, rows: list[list[str]]) -> None:
    place = random.randrange(len(rows))
    row = rows[place]
    column = random.randrange(max(len(row), 1))
    match random.randrange(9):
        case 0:
            rows.insert(place, list(row))
        case 1:
            del rows[place]
        case 2:
            row.append(random.choice(TEXTS))
        case 3 if row:
            del row[column]
        case 4:
            for each in rows:
                del each[column : column + 1]
        case 5:
            for each in rows:
                each[column:column] = each[column : column + 1]
        case 6 if row:
            row[column] = random.choice(PATHS)
        case 7 if row:
            row[column] = str(random.choice(NUMBERS))
        case _ if row:
            row[column] = random.choice(
                (
                    *TEXTS,
                    "x" * 200_000,
                    *(raw[:1000] for raw in _RAW),
                    "reason:" + "9" * 5000,
                    "a:b;c",
                    "a:-1",
                    '{"x": ["../x", "1"]}',
                )
            )
