// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/objective/label_groups.h"

#include <tuple>
#include <vector>

namespace es::engine {

at::Tensor LabelGroups::meanOf(const at::Tensor& x) const {
    std::vector<std::int64_t> sizes = x.sizes().vec(), broadcast(sizes.size(), 1);
    sizes[0] = broadcast[0] = count;
    return at::zeros(sizes, x.options()).index_add(0, group_N, x.index_select(0, rows_N)) / sizes_M.view(broadcast);
}

LabelGroups groupByLabel(const at::Tensor& label_T, std::int64_t tokens) {
    TORCH_CHECK(label_T.dim() == 1 && label_T.size(0) == tokens, "labels of shape ", label_T.sizes(), " for ", tokens, " tokens");
    const at::NoGradGuard no_grad;
    LabelGroups groups;
    groups.rows_N = label_T.ge(0).nonzero().squeeze(1);
    if (groups.rows_N.size(0) == 0) return groups;
    const auto [labels, group, sizes] = at::_unique2(label_T.index_select(0, groups.rows_N), /*sorted=*/true, /*return_inverse=*/true, /*return_counts=*/true);
    groups.count = labels.size(0);
    groups.group_N = group;
    groups.sizes_M = sizes.to(at::kDouble);
    return groups;
}

}  // namespace es::engine
