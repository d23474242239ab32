// SPDX-License-Identifier: GPL-3.0-or-later
// What paper venues ask of a figure's size and type. Widths of CVPR and ECCV are to be checked against the year's style files.
#include "analysis/figures/figure_recipe.h"

namespace es::analysis {

const std::vector<PagePreset>& pagePresets() {
    static const std::vector<PagePreset> kPresets = {
        {"neurips", "NeurIPS, full width", 139.7, 228.6, "Latin Modern Roman", 8, 6},
        {"iclr", "ICLR, full width", 139.7, 228.6, "Latin Modern Roman", 8, 6},
        {"icml-column", "ICML, one column", 82.55, 228.6, "Latin Modern Roman", 8, 6},
        {"icml-page", "ICML, both columns", 171.45, 228.6, "Latin Modern Roman", 8, 6},
        {"acl-column", "ACL, one column", 83.82, 246.0, "Latin Modern Roman", 8, 6},
        {"acl-page", "ACL, both columns", 172.72, 246.0, "Latin Modern Roman", 8, 6},
        {"cvpr-column", "CVPR, one column", 82.55, 225.4, "Latin Modern Roman", 8, 6},
        {"cvpr-page", "CVPR, both columns", 174.63, 225.4, "Latin Modern Roman", 8, 6},
        {"eccv", "ECCV, full width", 121.92, 193.0, "Latin Modern Roman", 8, 6},
        {"ieee-column", "IEEE, one column", 88.9, 241.3, "Latin Modern Roman", 9, 8},
        {"ieee-page", "IEEE, both columns", 181.86, 241.3, "Latin Modern Roman", 9, 8},
        {"nature-column", "Nature, one column", 89.0, 170.0, "Inter", 7, 5},
        {"nature-page", "Nature, both columns", 183.0, 170.0, "Inter", 7, 5},
        {"free", "Any size", 0, 0, "Inter", 9, 5},
    };
    return kPresets;
}

}  // namespace es::analysis
