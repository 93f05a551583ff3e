"""Open pages from disk in Debian's Chromium, and record what goes wrong on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<script>window.broken=1</script>"
IMAGE = '"><img src=x onerror=window.broken=1>'


class Visit:
    """A page opened from disk, with its console messages, errors and requests."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light", anchor: str = "") -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + anchor)

    def column(self, table: str, number: int) -> list[str]:
        """Return the first line of each visible cell of a column."""
        cells = self.page.locator(f".view:not([hidden]) table.{table} tbody tr:not(.group) > :nth-child({number})")
        return [text.split("\n")[0].strip() for text in cells.all_inner_texts()]

    def open_details(self) -> None:
        """Open every <details> element."""
        self.page.locator("summary").evaluate_all("all => all.forEach(summary => summary.click())")


# lists texts whose contrast with their background is below 4.5:1
CONTRAST = """() => {
  const linear = (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const light = (c) => {
    const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((x) => linear(x / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/^rgba.*, 0\\)$/.test(c)) return c; } return "rgb(255, 255, 255)"; };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e), ink = e.closest("svg text") ? style.fill : style.color;
    const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(e.tagName + " " + e.textContent.trim().slice(0, 20));
  }
  return bad;
}"""
