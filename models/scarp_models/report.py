"""The HTML report: one self-contained file, tables, plots as inline SVG, pictures as inline PNG.

Each command writes a section of its own into ``report.html`` and leaves the others as they are.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .bbunet import BANDS
from .data import PatchSet

if TYPE_CHECKING:
    from .evaluate import Prediction

ORDER = ("evaluation", "ablations", "edge")
_VISIBLE = [BANDS.index(b) for b in ("B04", "B03", "B02")]
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1320px;padding:0 1rem;color:#1d2327}
table{border-collapse:collapse;margin:1rem 0;font-size:13px}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #dde1e4;white-space:nowrap}
th:first-child,td:first-child,th.l,td.l{text-align:left}th{border-bottom:2px solid #98a2aa}
tr.baseline td{color:#66717a}small{color:#66717a}
figure{margin:0 0 1.2rem}figure img{image-rendering:pixelated;width:100%;max-width:1048px;display:block}
figcaption{font-size:13px}h2{margin-top:2.5rem}.plots{display:flex;flex-wrap:wrap;gap:1.5rem}
"""


@dataclass(frozen=True)
class Picture:
    """One patch, drawn: pre, post, truth, probability side by side."""

    method: str
    data: str
    why: str  # "best", "typical", "worst" or "most false pixels"
    caption: str
    png: bytes


def choose(method: str, data: str, patches: PatchSet, prediction: Prediction, threshold: float, each: int = 2) -> list[Picture]:
    """Draws the best, typical and worst patches by F1, among those with at least 20 valid landslide pixels (a patch
    with fewer is lost or won by chance), and those with the most pixels that are wrongly drawn."""
    tp, fp, fn = prediction.counts().confusion(threshold).T
    f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    enough = np.flatnonzero(tp + fn >= 20)
    order = enough[np.argsort(f1[enough], kind="stable")]
    middle = max((len(order) - each) // 2, 0)
    wrong = np.argsort(-fp, kind="stable")[:each]
    groups = {
        "best": order[::-1][:each],
        "typical": order[middle : middle + each],
        "worst": order[:each],
        "most false pixels": wrong[fp[wrong] > 0],
    }
    out = []
    for why, indices in groups.items():
        for i in indices:
            caption = f"patch {i}: F1 {f1[i]:.2f}, landslide pixels found {tp[i]}, missed {fn[i]}, wrongly drawn {fp[i]}"
            out.append(Picture(method, data, why, caption, draw(patches, prediction, int(i), threshold)))
    return out


def draw(patches: PatchSet, prediction: Prediction, index: int, threshold: float) -> bytes:
    """A PNG of pre, post, truth over post (found green, missed magenta, wrongly drawn orange) and probability."""
    pre, post = (np.asarray(a[index][_VISIBLE], np.float32).transpose(1, 2, 0) for a in (patches.pre, patches.post))
    seen = (pre[..., 0] > 0) & (post[..., 0] > 0)
    # One stretch for both dates, so that brightness can be compared.
    pool = np.concatenate([pre[seen], post[seen]]) if seen.any() else np.zeros((1, 3), np.float32)
    low, high = np.percentile(pool, 2, axis=0), np.percentile(pool, 98, axis=0)
    before, after = (np.clip((a - low) / np.maximum(high - low, 1), 0, 1) ** 0.8 for a in (pre, post))
    truth, valid = prediction.truth[index], prediction.valid[index]
    drawn = prediction.mask(threshold)[index]
    grey = np.repeat(after.mean(-1, keepdims=True), 3, -1) * 0.7
    marked = grey.copy()
    for pixels, colour in ((truth & drawn, (0.1, 0.75, 0.3)), (truth & ~drawn, (0.9, 0.1, 0.7)), (drawn & ~truth, (1, 0.6, 0))):
        marked[pixels & valid] = colour
    marked[~valid] = (0.25, 0.3, 0.45)
    p = prediction.steps[index] / 250
    heat = np.stack([np.clip(1.5 * p, 0, 1), np.clip(2 * p - 0.8, 0, 1), np.clip(0.35 + 0.4 * p - p * p, 0, 1)], -1)
    heat[~valid] = (0.25, 0.3, 0.45)
    gap = np.ones((len(pre), 4, 3))
    row = np.concatenate([before, gap, after, gap, marked, gap, heat], 1)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(row * 255).astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write(folder: Path, section: str, body: str) -> None:
    """Puts a section into ``folder/report.html``, in place of an older one of the same name. Names begin with one of
    :data:`ORDER`, whatever follows after ``_``."""
    section = re.sub(r"[^\w./-]+", "-", section)
    path = folder / "report.html"
    old = path.read_text() if path.exists() else ""
    sections = dict(re.findall(r"<!-- section (\S+) -->\n(.*?)\n<!-- end -->", old, re.S))
    sections[section] = body
    ordered = sorted(sections, key=lambda s: (ORDER.index(s.split("_")[0]), s))
    content = "\n".join(f"<!-- section {s} -->\n{sections[s]}\n<!-- end -->" for s in ordered)
    path.write_text(
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Scarp: measured networks</title><style>{_STYLE}</style>\n'
        f"<h1>Measured networks</h1>\n{content}\n</html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]], classes: Sequence[str] = (), left: Sequence[int] = (0,)) -> str:
    """An HTML table; cells that are no strings are numbers of three decimals, None is a dash."""

    def cell(tag: str, column: int, value: object) -> str:
        text = "–" if value is None else f"{value:.3f}" if isinstance(value, float) else html.escape(str(value))
        return f"<{tag}{' class=l' if column in left else ''}>{text}</{tag}>"

    def line(tag: str, values: Sequence[object], kind: str = "") -> str:
        return f"<tr{f' class={kind}' if kind else ''}>" + "".join(cell(tag, i, v) for i, v in enumerate(values)) + "</tr>"

    kinds = list(classes) or [""] * len(rows)
    return "<table>" + line("th", head) + "".join(line("td", r, k) for r, k in zip(rows, kinds, strict=True)) + "</table>"


def ranged(value: float | None, interval: Sequence[float] | None) -> str | None:
    """A figure with its interval."""
    if value is None:
        return None
    return f"{value:.3f}" + (f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else "")


def signed(value: float, interval: Sequence[float]) -> str:
    """A difference with its interval."""
    return f"{value:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"


def evaluation(document: dict[str, Any], pictures: Sequence[Picture]) -> str:
    """The section of ``evaluate``."""
    rows = document["rows"]
    parts = [
        "<h2>Networks and baselines</h2>",
        "<p>Global confusion matrix over all pixels without thick or thin cloud and with data on both dates. The threshold of each row is the one of "
        f"highest IoU on validation data ({html.escape(', '.join(document['validation']))}), then fixed. In parentheses: 95 % intervals, by "
        f"{document['rounds']} bootstrap resamples of {RESAMPLED[document['resampled']]}. AP: average precision. ECE: expected calibration error over ten bins of equal "
        "width. NDVI loss is gain of brightness in patches without near infrared; centred rules first take the patch's median change away. Gates on slopes "
        "are chosen on validation data too, and let patches without terrain through.</p>",
    ]
    leads = [r for r in rows if r["split"] == "test" and not r["region"] and "lead" in r]
    if leads:
        body = [(r["method"], r["data"], r["f1"], signed(r["lead"]["f1"], r["lead"]["interval"]), r["lead"]["over"]) for r in leads]
        parts.append(table(("network", "data", "F1", "lead in F1", "over the best baseline"), body, left=(0, 1, 4)))
    for data in dict.fromkeys(r["data"] for r in rows):
        parts.append(_scores(data, [r for r in rows if r["data"] == data]))
    parts.append("<h2>By object</h2><p>Groups of pixels joined by edges; " + html.escape(document["object_rule"]) + ".</p>")
    tested = [r for r in rows if r["split"] == "test" and not r["region"]]
    parts += [_objects(data, [r for r in tested if r["data"] == data]) for data in dict.fromkeys(r["data"] for r in tested)]
    calibrated = [r for r in tested if "reliability" in r]
    if calibrated:
        plots = "".join(reliability(r["reliability"], f"{r['method']}, {r['data']}: ECE {r['calibration_error']:.4f}") for r in calibrated)
        parts.append(f"<h2>Calibration</h2><div class=plots>{plots}</div>")
    notes = dict.fromkeys(f"{r['method']} on {r['data']}: {r['note']}" for r in rows if r["note"] and not r["region"])
    if notes:
        parts.append("<h2>How patches were run</h2><ul>" + "".join(f"<li>{html.escape(n)}</li>" for n in notes) + "</ul>")
    if pictures:
        parts.append(
            "<h2>Pictures</h2><p>Left to right: before, after, truth and result over the image after (found green, missed magenta, wrongly drawn orange, "
            "not judged blue), probability (dark 0, bright 1).</p>"
        )
    heading = None
    for p in pictures:
        if heading != (heading := (p.method, p.data)):
            parts.append(f"<h3>{html.escape(p.method)}, {html.escape(p.data)}</h3>")
        parts.append(
            f'<figure><img alt="{html.escape(p.why)}" src="data:image/png;base64,{base64.b64encode(p.png).decode()}">'
            f"<figcaption><b>{html.escape(p.why)}</b>, {html.escape(p.caption)}</figcaption></figure>"
        )
    return "\n".join(parts)


RESAMPLED = {"patches": "patches", "events": "events (of patches, where fewer than five events are known)"}
TITLES = {
    "intact": "",
    "bands": "Bands missing",
    "inputs": "Inputs off",
    "resolution": "Coarser images",
    "cloud": "Cloud",
    "registration": "Dates apart",
    "season": "Season gap",
    "size": "Patch size",
    "physics": "Physics on top of the network",
}


def ablations(document: dict[str, Any]) -> str:
    """The section of ``ablate``."""
    rows = document["rows"]
    parts = [
        f"<h2>What {html.escape(document['model'])} owes to its inputs</h2>",
        f"<p>On {html.escape(', '.join(document['test']))}; threshold {document['threshold']:.3f}, from intact patches of "
        f"{html.escape(', '.join(document['validation']))}. In parentheses: 95 % intervals by bootstrap over patches, those of differences paired. "
        "Best F1 is what the threshold that suits the changed patches best would give: no result, for nobody knows it, but it tells lost information from shifted probabilities.</p>",
    ]
    head = ("variant", "F1", "difference to intact", "IoU", "precision", "recall", "AP", "best F1", "patches")
    intact = [r for r in rows if r["part"] == "intact"]
    for part in dict.fromkeys(r["part"] for r in rows if r["part"] != "intact"):
        body = []
        for r in intact + [r for r in rows if r["part"] == part]:
            d = r.get("difference")
            delta = signed(d["f1"], d["interval"]) if d else None
            measures = (r["iou"], r["precision"], r["recall"], r["average_precision"], r["f1_at_best_threshold"])
            body.append((r["variant"], ranged(r["f1"], r["intervals"]["f1"]), delta, *measures, r["patches"]))
        parts.append(f"<h3>{TITLES.get(part, part)}</h3>" + table(head, body))
    return "\n".join(parts)


def edge(document: dict[str, Any]) -> str:
    """The section of ``edge``."""
    rows = document["rows"]
    accurate = any("f1" in r for r in rows)
    head = ["network", "precision", "file MB", "threads", "patch", "median ms", "5–95 % ms", f"time / {rows[0]['model']}", "peak MB", "of that the network's"]
    head += ["threshold", "F1", f"difference to {rows[0]['model']}"] if accurate else []
    body = []
    for r in rows:
        low, high = r["spread_ms"]
        cells: list[object] = [r["model"], r["precision"], f"{r['file_mb']:.1f}", r["threads"], r["size"], f"{r['median_ms']:.1f}", f"{low:.1f}–{high:.1f}"]
        cells += [f"{r['ratio']:.2f}", f"{r['peak_mb']:.0f}", f"{r['network_mb']:.0f}"]
        if accurate and "f1" not in r:
            cells += [None] * 3
        elif accurate:
            d = r["difference"]
            cells += [r["threshold"], ranged(r["f1"], r["interval"]), f"{d[0]:+.4f} ({d[1]:+.4f} to {d[2]:+.4f})"]
        body.append(cells)
    return (
        f"<h2>Time and memory</h2><p>{html.escape(document['machine'])}. ONNX Runtime {html.escape(document['onnxruntime'])} on the CPU, one patch at a time, "
        f"{document['runs']} runs of each network in turn with the others, so that whatever else the machine does meets all of them; ratios are medians over "
        "turns. Peak memory is that of a process of its own that loads the network and runs it; the server needs its own memory besides.</p>" + table(head, body, left=(0, 1))
    )


def _scores(data: str, rows: Sequence[dict[str, Any]]) -> str:
    first = rows[0]
    share = 100 * first["landslide_pixels"] / max(first["pixels"], 1)
    head = ("method", "threshold", "IoU", "F1", "precision", "recall", "AP", "ECE")
    body = []
    for r in rows:
        i = r["intervals"]
        measures = [ranged(r[m], i[m]) for m in ("iou", "f1", "precision", "recall", "average_precision")]
        body.append((r["method"], r["threshold"], *measures, ranged(r.get("calibration_error"), i.get("calibration_error"))))
    return (
        f"<h3>{html.escape(data)} <small>{first['split']}, {first['patches']} patches, {share:.1f} % landslide</small></h3>"
        + table(head, body, [r["kind"] for r in rows])
    )


def _objects(data: str, rows: Sequence[dict[str, Any]]) -> str:
    """Recall and precision of objects, a table each, a column for each size."""
    out = [f"<h3>{html.escape(data)}</h3>"]
    sizes = [o["size"] for o in rows[0]["objects"]]
    for measure, of in (("recall", "reference"), ("precision", "predicted")):
        body = []
        for r in rows:
            cells: list[object] = [r["method"]]
            for o in r["objects"]:
                shown = ranged(o[measure], o[f"{measure}_interval"] if o["size"] == "all" else None)
                cells.append(f"{shown} of {o[of]}" if shown else None)
            body.append(cells)
        out.append(table((f"{measure} of objects", *sizes), body, [r["kind"] for r in rows]))
    return "".join(out)


def reliability(bins: Sequence[dict[str, float]], title: str, size: int = 260) -> str:
    """A reliability plot as SVG: the share of landslide against the mean score of each bin, and how many pixels it has."""
    left, top = 36, 10

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * size, top + (1 - y) * size

    most = max((np.log10(1 + b["pixels"]) for b in bins), default=1)
    bars = []
    for b in bins:
        height = 0.25 * np.log10(1 + b["pixels"]) / most
        x, y = at(b["from"], height)
        bars.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{(b["to"] - b["from"]) * size - 1:.1f}" height="{height * size:.1f}" fill="#dfe4e8"/>')
    points = [at(b["score"], b["share"]) for b in bins]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#d7301f"/>' for x, y in points)
    ticks = "".join(
        f'<text x="{at(t, 0)[0]:.0f}" y="{top + size + 16}" text-anchor="middle">{t:g}</text>'
        f'<text x="{left - 6}" y="{at(0, t)[1] + 4:.0f}" text-anchor="end">{t:g}</text>'
        for t in (0, 0.5, 1)
    )
    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    return (
        f'<figure><svg width="{size + 60}" height="{size + 50}" font-size="11" font-family="sans-serif" role="img" aria-label="{html.escape(title)}">'
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="none" stroke="#98a2aa"/>{"".join(bars)}'
        f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="#98a2aa" stroke-dasharray="4"/>'
        f'<polyline points="{path}" fill="none" stroke="#d7301f"/>{dots}{ticks}'
        f'<text x="{left + size / 2}" y="{top + size + 34}" text-anchor="middle">mean probability; bars: log of pixels</text></svg>'
        f"<figcaption>{html.escape(title)}</figcaption></figure>"
    )
