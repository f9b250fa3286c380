"""What tests/tools/role_readmes.py writes, and when it complains."""

from __future__ import annotations

from pathlib import Path

import pytest
from role_readmes import main, readme, sentence

SPECIFICATION = """---
argument_specs:
  main:
    short_description: Serve the site from the edge
    description:
      - Makes a distribution, see M(webstack.aws.cdn).
    options:
      cdn_name:
        description: The name
        required: true
      cdn_origins:
        description: Where content comes from, unless O(cdn_name=none).
        type: list
        elements: dict
        default: []
        options:
          port:
            description: TCP port.
            type: int
            default: 443
            choices: [80, 443]
"""

README = """# webstack.aws.cdn

Serve the site from the edge.

Makes a distribution, see `webstack.aws.cdn`.

## Use

```yaml
- hosts: regions
  gather_facts: false
  roles:
  - role: webstack.aws.cdn
    vars:
      cdn_name: …
```

## Variables

### `cdn_name`

str, required

The name.

### `cdn_origins`

list of dict, default `[]`

Where content comes from, unless `cdn_name=none`.

- `port` (int, default `443`, one of `80`, `443`) TCP port.

<!-- Written by `make readmes` from meta/argument_specs.yml. -->
"""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    meta = tmp_path / "roles" / "cdn" / "meta"
    meta.mkdir(parents=True)
    (meta / "argument_specs.yml").write_text(SPECIFICATION, encoding="utf-8")
    return tmp_path


def test_writes_the_specification_down(collection: Path) -> None:
    assert main([], collection) == 0
    assert (collection / "roles" / "cdn" / "README.md").read_text(encoding="utf-8") == README


def test_checks_without_writing(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], collection) == 1
    assert not (collection / "roles" / "cdn" / "README.md").exists()
    assert capsys.readouterr().out == "roles/cdn/README.md: out of date; run `make readmes`\n"


def test_is_content_with_what_it_wrote(collection: Path) -> None:
    main([], collection)
    assert main(["--check"], collection) == 0


@pytest.mark.parametrize(
    ("markup", "markdown"),
    [
        ("With V(true), B(all) of I(it)", "With `true`, **all** of *it*."),
        ("See L(the guide,https://example.org/a)", "See [the guide](https://example.org/a)"),
        ("See U(https://example.org)", "See <https://example.org>."),
        ("Answers RV(pending), needs O(webstack.aws.cdn#module:name)", "Answers `pending`, needs `name`"),
    ],
)
def test_turns_markup_into_markdown(markup: str, markdown: str) -> None:
    assert sentence(markup) == markdown


def test_says_so_when_a_role_takes_nothing() -> None:
    assert "## Variables\n\nNone.\n" in readme("cdn", {"short_description": "Serve"})
