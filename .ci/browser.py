#!/usr/bin/env python3
"""Opens a report in headless Chromium: sort, search, drill down, dark mode, a phone's width, no message on the console.

Usage: .ci/browser.py REPORT.html [SCREENSHOT_FOLDER]
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Runs in the page after its own script; what it finds is written into the page's title.
PROBE = """
<script>
const found = {};
const rows = () => [...document.querySelectorAll("#results tbody tr")];
const cells = (column) => rows().map((row) => row.cells[column].textContent.trim());
const numbers = (texts) => texts.map(parseFloat).filter((n) => !Number.isNaN(n));
const rising = (values) => values.every((value, at) => at === 0 || values[at - 1] <= value);
const head = document.querySelectorAll("#results thead th");
try {
  head[3].querySelector("button").click();
  found.ascending = rising(numbers(cells(3))) && head[3].getAttribute("aria-sort") === "ascending";
  head[3].querySelector("button").click();
  found.descending = rising(numbers(cells(3)).reverse()) && head[3].getAttribute("aria-sort") === "descending";
  const all = rows().length;
  const search = document.getElementById("search");
  const wanted = cells(1)[0];
  search.value = wanted.toUpperCase();
  search.dispatchEvent(new Event("input"));
  const shown = rows().filter((row) => !row.hidden);
  found.search = shown.length > 0 && shown.length < all && shown.every((row) => row.textContent.includes(wanted));
  search.value = "";
  search.dispatchEvent(new Event("input"));
  found.searchCleared = rows().every((row) => !row.hidden);
  const compressed = rows().find((row) => row.dataset.model !== "0");
  compressed.querySelector("button").click();
  const questions = document.querySelectorAll("#examples .question");
  found.drillDown = questions.length > 0 && questions.length <= 10
    && [...questions].every((q) => q.querySelectorAll("li").length > 0 && q.querySelector(".gold")
      && q.querySelectorAll(".mark").length === 2);
  found.named = document.querySelector("#examples h3").textContent.includes(compressed.cells[0].textContent);
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  found.dark = red + green + blue < 200;
  found.fits = document.documentElement.scrollWidth <= window.innerWidth + 1;
  found.figures = document.querySelectorAll("figure svg polyline").length;
} catch (error) {
  found.error = String(error);
}
document.title = "FOUND " + JSON.stringify(found);
</script>
"""


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("chromium is missing: apt-get install chromium")


def browse(page, *options):
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars"]
    return subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=False)


def probe(report, folder, scheme, width):
    page = folder / "probed.html"
    page.write_text(report.read_text().replace("</body>", PROBE + "</body>"))
    setting = f"--blink-settings=preferredColorScheme={scheme}"
    done = browse(page, "--dump-dom", setting, f"--window-size={width},900")
    title = re.search(r"<title>FOUND (.*?)</title>", done.stdout)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    if not title:
        sys.exit(f"the page's script did not end\n{done.stderr}")
    found = json.loads(title.group(1).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    return found, console


def main():
    report = pathlib.Path(sys.argv[1]).resolve()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        # Blink's numbers: 0 is dark, 1 is light.
        for scheme, dark, width in ((1, False, 1280), (0, True, 1280), (1, False, 500)):
            found, console = probe(report, pathlib.Path(folder), scheme, width)
            where = f"{'dark' if dark else 'light'}, {width} wide"
            wrong = [key for key, value in found.items() if key not in ("dark", "figures", "error") and not value]
            problems += [f"{where}: {key}" for key in wrong]
            problems += [f"{where}: {found['error']}"] if "error" in found else []
            problems += [f"{where}: colours are not"] if found.get("dark") != dark else []
            problems += [f"{where}: no figures"] if not found.get("figures") else []
            problems += [f"{where}: console: {line}" for line in console]
            print(where, found)
    if len(sys.argv) > 2:
        folder = pathlib.Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        for name, scheme, width in (("light", 1, 1280), ("dark", 0, 1280), ("phone", 1, 500)):
            setting = f"--blink-settings=preferredColorScheme={scheme}"
            browse(report, f"--screenshot={folder / name}.png", setting, f"--window-size={width},5200")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
