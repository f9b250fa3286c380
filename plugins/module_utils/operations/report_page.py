"""The page of a report: its styles, its patterns, its frame. It has no script and asks nobody for anything."""

from __future__ import annotations

from .markup import Child, Markup, tag

# A browser that reads this refuses every script and every request, whatever a defect may let into the page.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

# The eight colours of Okabe and Ito, which most colour-blind readers tell apart; darkened or lightened for contrast.
_LIGHT = """
--bg:#f6f7f9;--paper:#fff;--ink:#16202c;--faint:#5a6775;--rule:#e3e7ec;--grid:#eef1f4;
--good:#00664b;--good-soft:#e3f4ee;--bad:#b03a00;--bad-soft:#fdebe0;--unsure:#6b4e00;--unsure-soft:#fdf4d7;
--up:#4fb99a;--down:#d55e00;--dot:#0072b2;--fault:#b03a00;--broken:#b03a00;--mended:#00664b;
--c0:#4a9fd0;--c1:#e9a93b;--c2:#3fae8d;--c3:#d396b8;--c4:#8fcdf0;--c5:#e2884a;--c6:#d9ce3f;--c7:#a3adb8;
--texture:#16202c;
"""
_DARK = """
--bg:#10151b;--paper:#181f27;--ink:#e8edf2;--faint:#9dabb8;--rule:#2c3641;--grid:#222b34;
--good:#5fd3ae;--good-soft:#12332a;--bad:#ff9a66;--bad-soft:#3d2214;--unsure:#f0cd62;--unsure-soft:#383012;
--up:#2f8f73;--down:#e0702a;--dot:#5db4e6;--fault:#ff9a66;--broken:#ff9a66;--mended:#5fd3ae;
--c0:#2f7fb0;--c1:#b67e1a;--c2:#23876a;--c3:#a86a8d;--c4:#5a99bb;--c5:#b7622c;--c6:#9a9120;--c7:#6d7884;
--texture:#f2f5f8;
"""

STYLE = f"""
:root{{color-scheme:light dark;{_LIGHT}}}
@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
@media print{{:root{{color-scheme:light;{_LIGHT}--bg:#fff}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
 -webkit-print-color-adjust:exact;print-color-adjust:exact}}
main{{max-width:1060px;margin:0 auto;padding:18px 24px 60px}}
header{{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 24px;color:var(--faint);font-size:13px;margin-bottom:10px}}
header h1{{font-size:18px;margin:0;color:var(--ink);width:100%}}
h2{{font-size:17px;margin:0 0 2px}}
h3{{font-size:14px;margin:18px 0 4px}}
p{{margin:4px 0}}
section{{background:var(--paper);border:1px solid var(--rule);border-radius:10px;padding:16px 18px;margin:14px 0}}
.why{{color:var(--faint);font-size:13px;max-width:90ch}}
.verdict{{border-left:12px solid var(--unsure);padding-top:14px}}
.verdict.pass{{border-left-color:var(--good)}}.verdict.fail{{border-left-color:var(--bad)}}
.verdict .head{{display:flex;gap:16px;align-items:center;margin-bottom:8px}}
.word{{font-weight:800;font-size:22px;letter-spacing:.04em;padding:6px 14px;border-radius:8px;white-space:nowrap;
 background:var(--unsure-soft);color:var(--unsure)}}
.pass .word{{background:var(--good-soft);color:var(--good)}}.fail .word{{background:var(--bad-soft);color:var(--bad)}}
.sentence{{font-size:19px;line-height:1.3;font-weight:600;margin:0;overflow-wrap:anywhere}}
.todo{{font-size:15px;padding:8px 12px;border:2px solid var(--bad);border-radius:8px;color:var(--bad)}}
.chips{{display:flex;flex-wrap:wrap;gap:6px;margin:10px 0 4px;padding:0;list-style:none;font-size:12.5px}}
.chips li{{padding:2px 9px;border-radius:99px;border:1px solid var(--rule)}}
.good{{color:var(--good)}}.bad{{color:var(--bad);font-weight:700}}.unsure{{color:var(--unsure);font-weight:600}}
.chips .good{{background:var(--good-soft)}}.chips .bad{{background:var(--bad-soft)}}.chips .unsure{{background:var(--unsure-soft)}}
table{{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}}
th{{text-align:left;overflow-wrap:normal!important;font-weight:600;color:var(--faint);font-size:12.5px}}
th,td{{padding:5px 10px 5px 0;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}}
td.n,th.n{{text-align:right;white-space:nowrap}}
td.value{{font-weight:700;white-space:nowrap}}
td.gauge{{width:110px;padding-top:9px}}
.expectations td{{white-space:nowrap}}.expectations td.free{{white-space:normal}}
td:first-child:has(>.good,>.bad,>.unsure){{width:9em;white-space:nowrap}}
.scroll{{overflow-x:auto}}
figure{{margin:10px 0 0;overflow-x:auto}}
figure svg{{display:block;width:100%;height:auto;min-width:640px}}
figcaption{{color:var(--faint);font-size:13px;max-width:100ch}}
details{{margin-top:6px;font-size:13px}}
summary{{cursor:pointer;color:var(--faint)}}
.legend{{font-size:12.5px;color:var(--faint);margin:6px 0 0}}
.key{{display:inline-flex;align-items:center;gap:5px;margin-right:16px}}
.key svg{{width:16px!important;height:12px!important;min-width:16px!important;flex:none}}
ul.plain{{padding-left:20px;margin:6px 0}}ul.plain li{{margin:3px 0;overflow-wrap:anywhere}}
code{{font:12.5px ui-monospace,"DejaVu Sans Mono",monospace}}
footer{{color:var(--faint);font-size:12.5px;margin-top:18px}}
.defs{{position:absolute;width:0;height:0}}
svg text{{font:11px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}}
svg .row-name{{font-weight:600}}svg .row-note,svg .tick{{font-weight:400;font-size:10.5px;fill:var(--faint)}}
svg .strong,svg .mark-name,svg .gap{{font-weight:600}}
svg .gap{{font-size:12.5px;fill:var(--bad)}}
.grid{{stroke:var(--grid)}}.rule{{stroke:var(--rule)}}.axis{{stroke:var(--faint)}}
.mark{{stroke-width:1.2;stroke-dasharray:4 3}}
.mark.fault{{stroke:var(--fault);stroke-dasharray:none;stroke-width:2}}.mark.broken{{stroke:var(--broken);stroke-dasharray:1.5 3}}
.mark.mended{{stroke:var(--mended)}}
svg .mark-name.fault,svg .mark-name.broken{{fill:var(--fault)}}svg .mark-name.mended{{fill:var(--mended)}}
.halo{{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}}svg .bad-text{{fill:var(--bad)}}
.event{{fill:var(--dot);stroke:var(--paper)}}.lag{{stroke:var(--faint);stroke-opacity:.7}}.lag-end{{fill:var(--faint)}}
.up{{fill:var(--up)}}.down{{fill:var(--down)}}.empty{{fill:var(--grid)}}
.dots{{fill:none;stroke:var(--dot);stroke-width:2.6;stroke-linecap:round;stroke-opacity:.55}}
.dots.unseen{{stroke:var(--faint)}}
.failure{{fill:none;stroke:var(--bad);stroke-width:1.3}}
.p50{{fill:none;stroke:var(--ink);stroke-width:1.4}}.p95{{fill:none;stroke:var(--ink);stroke-width:1.4;stroke-dasharray:3 2}}
.plate{{fill:var(--paper);fill-opacity:.88}}svg .plate-text{{font-size:10.5px;font-weight:600}}
.trend{{fill:none;stroke:var(--faint)}}.limit{{stroke:var(--bad);stroke-dasharray:6 3}}.expected{{stroke:var(--faint);stroke-dasharray:2 3}}
.run{{stroke-width:2;fill:var(--paper);stroke:var(--unsure)}}.run.pass{{fill:var(--good);stroke:var(--good)}}
.run.fail{{fill:none;stroke:var(--bad);stroke-width:3}}
{"".join(f".c{place}{{fill:var(--c{place})}}" for place in range(8))}
@media (max-width:700px){{main{{padding:10px}}.verdict .head{{flex-direction:column;align-items:flex-start}}}}
@media print{{body{{font-size:11px}}table,.legend,.why,figcaption,header{{font-size:10px}}
 th{{font-size:9.5px}}.sentence{{font-size:15px}}.word{{font-size:17px}}
 .chips{{font-size:10px}}h2{{font-size:14px}}td{{padding:3px 8px 3px 0}}.expectations .gauge{{display:none}}
 main{{max-width:none;padding:0}}section{{border:0;padding:6px 0;margin:6px 0;border-radius:0}}
 .verdict{{border-left:10px solid;padding-left:12px}}
 figure,tr,.head{{break-inside:avoid}}h2,h3,figcaption,.why{{break-after:avoid}}details:not([open]){{display:none}}
 figure{{overflow:visible}}figure svg{{min-width:0}}.scroll{{overflow:visible}}@page{{margin:14mm}}}}
"""

_TEXTURES = (
    "M0 6L6 0M-1 1L1-1M5 7L7 5",  # rising
    "M1.5 1.5h.01M4.5 4.5h.01",  # dots
    "M0 3h6",  # level
    "M0 0L6 6M-1 5L1 7M5-1L7 1",  # falling
)


def patterns() -> Markup:
    """The textures that all pictures share."""
    made = [
        tag(
            "pattern",
            tag(
                "path", d=path, stroke="var(--texture)", stroke_width=1.1, stroke_opacity="0.5", stroke_linecap="round"
            ),
            id=f"texture-{place}",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        )
        for place, path in enumerate(_TEXTURES, 1)
    ]
    return tag("svg", tag("defs", made), class_="defs", aria_hidden="true")


def page(title: str, *body: Child) -> Markup:
    """A whole document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    return Markup(
        "<!DOCTYPE html>\n" + tag("html", head, tag("body", patterns(), tag("main", *body)), lang="en") + "\n"
    )
