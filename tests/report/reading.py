"""What a report page holds, read back from its HTML."""

from html import parser

_VOID = {"meta", "img", "link", "input"}


class Page(parser.HTMLParser):
    """Collects tables, texts, links, scripts and pictures, and checks that tags are balanced."""

    def __init__(self, text: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.policies: dict[str, str] = {}
        self.pictures: list[tuple[str, str]] = []
        self.units: dict[str, list[str]] = {}  # lines of prompts, by their mark
        self.tags: set[str] = set()
        self._open: list[str] = []
        self._mark = ""
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.add(tag)
        self.links += [found[name] for name in ("href", "src") if name in found]
        assert not [name for name in found if name.startswith("on")]  # no script in an attribute
        if tag == "meta" and "http-equiv" in found:
            self.policies[found["http-equiv"]] = found["content"]
        if tag == "img":
            self.pictures.append((found["alt"], found["src"]))
        if tag == "script":
            self.scripts.append("")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if "unit" in found.get("class", "").split():
            self._mark = found["class"].split()[1]
            self.units.setdefault(self._mark, []).append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag in ("ins", "del", "div"):
            self._mark = ""

    def handle_data(self, data):
        if "script" in self._open:
            self.scripts[-1] += data
            return
        if "style" in self._open:
            assert "url(" not in data
            assert "@import" not in data
            return
        self.texts.append(data)
        if self._mark:
            self.units[self._mark][-1] += data
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data
