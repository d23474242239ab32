// SPDX-License-Identifier: GPL-3.0-or-later
// Short ways to write rows of the table of operations. Letters come from the end of a name.
#pragma once

#include "engine/reference/operation.h"

namespace es::reference::forms {

/// "TE" of "logits_TE", "" of "scale".
[[nodiscard]] std::string lettersOf(std::string_view name);

[[nodiscard]] TensorForm real(const std::string& name);
[[nodiscard]] TensorForm optionalReal(const std::string& name);
/// Experts, labels and the like: -1 .. size - 1.
[[nodiscard]] TensorForm index(const std::string& name, char below);
[[nodiscard]] TensorForm indexOf(const std::string& name, const std::string& letters, char below);
[[nodiscard]] TensorForm id(const std::string& name);
[[nodiscard]] TensorForm count(const std::string& name);
[[nodiscard]] TensorForm integer(const std::string& name);
[[nodiscard]] TensorForm byte(const std::string& name);

/// k: 1 .. E and the size K.
[[nodiscard]] Parameter choices();
/// A whole number that is a size of its own, 1 .. 65535.
[[nodiscard]] Parameter sizeOf(const std::string& name, char letter);
[[nodiscard]] Parameter whole(const std::string& name, double least, char at_most = 0, char size = 0);
[[nodiscard]] Parameter number(const std::string& name, double least, double most);
[[nodiscard]] Parameter positive(const std::string& name);
[[nodiscard]] Parameter anyNumber(const std::string& name);
[[nodiscard]] Parameter flag(const std::string& name);
[[nodiscard]] Parameter word(const std::string& name, std::vector<std::string> words);

/// The families of the table, in order.
void addRouters(std::vector<Operation>& table);
void addLosses(std::vector<Operation>& table);
void addLayers(std::vector<Operation>& table);
void addMetrics(std::vector<Operation>& table);

}  // namespace es::reference::forms
