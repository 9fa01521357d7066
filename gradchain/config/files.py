"""Configurations as text and in files: JSON, or YAML by PyYAML."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from gradchain.config.place import ConfigError, Json, parse
from gradchain.core.optional import need

SUFFIXES = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}
FLOAT = re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$|^[-+]?\.inf$|^\.nan$")
LIMIT = 10**7  # characters of a file


def read_file(path: str | Path) -> Json:
    """The values in a JSON or YAML file; errors begin with its name."""
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path}: expected a file that ends in {', '.join(SUFFIXES)}")
    if path.stat().st_size > LIMIT:
        raise ConfigError(f"{path}: more than {LIMIT:,} bytes")
    try:
        text = path.read_text(encoding="utf-8")
        return parse(text) if kind == "json" else parse_yaml(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not text in UTF-8") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_yaml(text: str) -> Json:
    """YAML text: 1e-3 is a number, as in YAML 1.2, and a key that stands twice is an error."""
    yaml: Any = need("yaml", "cli", "YAML", "pyyaml")

    class Loader(yaml.SafeLoader):
        pass

    def once(loader: Any, node: Any) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        found = {}
        for key, value in node.value:
            name = loader.construct_object(key, deep=True)
            if not isinstance(name, Hashable) or name in found:
                what = "stands twice in one mapping" if isinstance(name, Hashable) else "is no text"
                raise ConfigError(f"the key {name!r} {what}{key.start_mark}")
            found[name] = loader.construct_object(value, deep=True)
        return found

    Loader.add_constructor("tag:yaml.org,2002:map", once)
    Loader.yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError as error:
        raise ConfigError("nested too deep") from error


def write_text(config: Json, kind: str) -> str:
    """Values as JSON or YAML text."""
    if kind == "json":
        return json.dumps(config, indent=2)
    yaml: Any = need("yaml", "cli", "YAML", "pyyaml")
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True).rstrip("\n")
