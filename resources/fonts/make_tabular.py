# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes "Inter Tabular" out of Inter: digits of one width, which Qt before 6.7 cannot ask a font for.

Usage: python3 make_tabular.py Inter-Regular.otf Inter-SemiBold.otf   (needs fontTools)
Writes InterTabular-*.otf beside them. Only Latin, Greek and the signs of axes and tables are kept.
"""
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x2000, 0x206F), (0x2070, 0x209C), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x25A0, 0x25FF)]


def make(source: Path) -> None:
    font = TTFont(source)
    tabular = {}
    for record in font["GSUB"].table.FeatureList.FeatureRecord:
        if record.FeatureTag != "tnum":
            continue
        for index in record.Feature.LookupListIndex:
            for table in font["GSUB"].table.LookupList.Lookup[index].SubTable:
                tabular.update(getattr(table.ExtSubTable if hasattr(table, "ExtSubTable") else table, "mapping", {}))
    for table in font["cmap"].tables:
        for code, glyph in list(table.cmap.items()):
            if code < 0x80 or code in (0x2212, 0x2009, 0x202F):
                table.cmap[code] = tabular.get(glyph, glyph)
    options = subset.Options(layout_features=["kern", "mark", "mkmk", "ccmp", "locl", "liga"], name_IDs=["*"], notdef_outline=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    for record in font["name"].names:
        text = record.toUnicode()
        if record.nameID in (1, 3, 4, 16):
            record.string = text.replace("Inter", "Inter Tabular", 1)
        elif record.nameID == 6:
            record.string = text.replace("Inter", "InterTabular", 1)
    cff = font["CFF "].cff
    cff.fontNames[0] = cff.fontNames[0].replace("Inter", "InterTabular", 1)
    top = cff.topDictIndex[0]
    for key in ("FullName", "FamilyName"):
        if hasattr(top, key):
            setattr(top, key, getattr(top, key).replace("Inter", "Inter Tabular", 1))
    font.save(source.with_name(source.name.replace("Inter-", "InterTabular-")))


for name in sys.argv[1:]:
    make(Path(name))
