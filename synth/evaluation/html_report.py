"""The report of an evaluation as one HTML file: tables, confusions, players and spectrograms, nothing from outside."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from synth.audio import spectrogram_png
from synth.audio.writer import wav_header
from synth.evaluation import figures
from synth.evaluation.clips import Clip

_PIXELS_A_SECOND, _MAX_PIXELS = 250, 460
"""Width of a spectrogram: all of a table have the scale at which the longest still fits."""
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fdfdfc; --faint: #6a6a72; --line: #d9d9de;
  --mark: 28, 98, 182; --good: #1c7a3d; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e7ea; --paper: #17181b; --faint: #9c9ca6; --line: #3a3b41;
  --mark: 96, 160, 240; --good: #6fcf8f; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 70rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1rem; margin: .5rem 0; }
p { max-width: 46rem; } .faint, caption { color: var(--faint); font-size: .875rem; } caption { text-align: left; }
.wide { overflow-x: auto; } .beside { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th { font-weight: 600; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; } .sounds { width: 100%; min-width: 62rem; table-layout: fixed; }
.sounds td, .sounds th { text-align: left; } .sounds th:first-child { width: 5.5rem; overflow-wrap: break-word; }
.confusion td, .confusion th { padding: .15rem .4rem; min-width: 1.8rem; text-align: center; border: 0;
  font-size: .875rem; }
.confusion td.right { outline: 1px solid var(--faint); outline-offset: -1px; }
figure { display: inline-block; margin: .3rem 1rem .3rem 0; vertical-align: top; }
figcaption { color: var(--faint); font-size: .8rem; }
figure img { display: block; height: 112px; border-radius: 3px; }
audio { display: block; width: 210px; height: 30px; margin-top: 4px; }
.good { color: var(--good); } .bad { color: var(--bad); }
"""


@dataclass(frozen=True)
class Section:
    """Sounds of a label key: for each value (its name, real clips, generated clips)."""

    title: str
    lines: list[tuple[str, list[Clip], list[Clip]]]


def render(data: Mapping[str, Any], sections: Sequence[Section], rate: int) -> bytes:
    """The page, UTF-8. `data`: what `--json` reports; the clips' sounds are at `rate` samples a second."""
    title = f"{data['checkpoint']}, heard by {data['classifier']}" if data["classifier"] else data["checkpoint"]
    body = [f"<h1>{escape(title)}</h1>", _intro(data), _summary(data)]
    for key, label in data["labels"].items():
        body.append(_confusions(key, label))
    loudness = "".join(_loudness(key, label) for key, label in data["labels"].items())
    if loudness:
        body.append(f'<h2>Median RMS</h2><div class="beside">{loudness}</div>')
    body += [_sounds(section, rate, _names(data)) for section in sections]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    text = f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n'
    return (text + "\n".join(body) + "\n</body></html>\n").encode("utf-8", "backslashreplace")


def _intro(data: Mapping[str, Any]) -> str:
    text = (
        f"{data['files']} files of {data['seconds']:g} s from silence, {figures.seeds(data)},"
        f" temperature {data['temperature']:g}, top-k {data['top_k']}, top-p {data['top_p']:g}."
    )
    if reference := data.get("reference"):
        text += f" Reference: {reference['test']} test and {reference['train']} training files."
    return f"<p>{escape(text)}</p>" + "".join(f'<p class="faint">Left out: {escape(w)}.</p>' for w in data["left_out"])


def _summary(data: Mapping[str, Any]) -> str:
    lines, beside = [], data["levels"]["real"] is not None
    for name, generated, real in figures.rows(data):
        mark = ' class="bad"' if "TOO NEAR" in generated else ' class="good"' if "no copies" in generated else ""
        more = f"<td>{escape(real)}</td>" if beside else ""
        lines.append(f"<tr><td>{escape(name)}</td><td{mark}>{escape(generated)}</td>{more}</tr>")
    head = f"<tr><th>What</th><th>Generated</th>{'<th>Real</th>' if beside else ''}</tr>"
    return f'<h2>Summary</h2><div class="wide"><table>{head}{"".join(lines)}</table></div>{_notes(data)}'


def _notes(data: Mapping[str, Any]) -> str:
    """How the figures are to be read."""
    notes = []
    if data["frechet"]:
        notes.append(
            f"Fréchet distance between Gaussians of {data['frechet']['layer']}. The estimate is too high at small"
            " numbers of files, by about one over the number; all sets have the same number here, so the real column is"
            f" what the bias alone comes to. With all files ({data['frechet']['generated']} generated,"
            f" {data['frechet']['real']} real): {data['frechet']['all_files']:.2f}."
        )
    if data["copying"]:
        notes.append(
            f"Copying: distances to the nearest of {data['copying']['training_files']} training clips; generated ones"
            " pass when their 1st percentile is not below that of real test clips. By waveform: 1 less the greatest"
            f" correlation of the loudest {data['copying']['excerpt_seconds']:g} s of a clip with any stretch of"
            " training sound. Sound that is unlike any recording passes easily."
        )
    notes.append(
        "Levels are of full scale. A frame of 10 ms is silent 60 dB below it; sound lasts from the first to the last"
        " frame within 40 dB of the loudest."
    )
    return "".join(f'<p class="faint">{escape(note)}</p>' for note in notes)


def _confusions(key: str, label: Mapping[str, Any]) -> str:
    tables = []
    for title, table in (("Generated", label["confusion"]), ("Real", label["real_confusion"])):
        if table is not None:
            tables.append(_confusion(title, label["values"], label["heard"], table))
    if not tables:
        return ""
    return f'<h2>{escape(key)}: asked for and heard</h2><div class="beside">{"".join(tables)}</div>'


def _confusion(title: str, values: Sequence[str], predicted: Sequence[str], table: Sequence[Sequence[int]]) -> str:
    """Rows what was asked for, columns what was predicted, shaded by the share of the row; no last column of zeros."""
    names = list(predicted if any(row[-1] for row in table) else predicted[:-1])
    lines = ["<tr><th></th>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"]
    for value, row in zip(values, table, strict=True):
        total, cells = max(1, sum(row)), []
        for name, count in zip(names, row, strict=False):
            right = ' class="right"' if name == value else ""
            shade = f"background: rgba(var(--mark), {0.65 * count / total:.2f})"
            cells.append(f'<td{right} style="{shade}">{count or ""}</td>')
        lines.append(f"<tr><th>{escape(value)}</th>{''.join(cells)}</tr>")
    caption = f"<caption>{title}: rows asked for, columns heard</caption>"
    return f'<div class="wide"><table class="confusion">{caption}{"".join(lines)}</table></div>'


def _loudness(key: str, label: Mapping[str, Any]) -> str:
    lines, beside = [], any(pair["real"] is not None for pair in label["median_rms"].values())
    for value, pair in label["median_rms"].items():
        generated, real = ("" if pair[who] is None else f"{pair[who]:.4f}" for who in ("generated", "real"))
        ratio = f"{pair['generated'] / pair['real']:.2f}" if pair["generated"] is not None and pair["real"] else ""
        more = f"<td>{real}</td><td>{ratio}</td>" if beside else ""
        lines.append(f"<tr><td>{escape(value)}</td><td>{generated}</td>{more}</tr>")
    more = "<th>Real</th><th>Ratio</th>" if beside else ""
    head = f"<tr><th>{escape(key)}</th><th>Generated</th>{more}</tr>"
    return f'<div class="wide"><table>{head}{"".join(lines)}</table></div>'


def _names(data: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    return [(key, label["values"]) for key, label in data["labels"].items()]


def _sounds(section: Section, rate: int, names: Sequence[tuple[str, list[str]]]) -> str:
    lines, beside = [], any(real for _, real, _ in section.lines)
    longest = max([len(t.sound) for _, *both in section.lines for t in sum(both, []) if t.sound is not None], default=1)
    scale = min(_PIXELS_A_SECOND / rate, _MAX_PIXELS / longest)
    for value, real, generated in section.lines:
        cells = "".join(
            f"<td>{_figures(clips, rate, scale, names)}</td>"
            for clips in ((real, generated) if beside else (generated,))
        )
        lines.append(f"<tr><td><strong>{escape(value)}</strong></td>{cells}</tr>")
    head = f"<tr><th>{escape(section.title)}</th>{'<th>Real</th>' if beside else ''}<th>Generated</th></tr>"
    floor, top = spectrogram_png.FLOOR_DB, spectrogram_png.TOP_DB
    note = f"Spectrograms: 0 to {rate / 2000:g} kHz, {floor:g} to {top:g} dB of full scale."
    return (
        f'<h2>{escape(section.title)}: {"real and " if beside else ""}generated</h2><p class="faint">{note}</p>'
        f'<div class="wide"><table class="sounds">{head}{"".join(lines)}</table></div>'
    )


def _figures(clips: Iterable[Clip], rate: int, scale: float, names: Sequence[tuple[str, list[str]]]) -> str:
    """Players with their spectrograms, at `scale` pixels a sample."""
    players = []
    for clip in clips:
        if clip.sound is None:
            continue
        labels = [values[number - 1] for (_, values), number in zip(names, clip.label_ids, strict=True) if number]
        caption = ", ".join([*labels, clip.name])
        width = max(24, round(len(clip.sound) * scale))
        picture = _inline("image/png", spectrogram_png.spectrogram(clip.sound, rate))
        sound = _inline("audio/wav", wav_header(len(clip.sound), rate) + clip.sound.astype("<i2").tobytes())
        players.append(
            f'<figure><figcaption>{escape(caption)}</figcaption><img alt="spectrogram of {escape(caption)}"'
            f' style="width: {width}px" src="{picture}">'
            f'<audio controls preload="metadata" src="{sound}"></audio></figure>'
        )
    return "".join(players)


def _inline(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
