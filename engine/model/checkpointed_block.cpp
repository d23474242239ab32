// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/checkpointed_block.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <utility>
#include <vector>

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// All that a forward pass of the block depends on besides its input and weights.
struct Recipe : torch::CustomClassHolder {
    std::shared_ptr<const MultiwayBlock> block;
    std::shared_ptr<const TokenLayout> layout;
    ForwardOptions options;  ///< without an observer
    TokenNames names;

    /// The block's output, then the losses of its routers, which also go to `routers`.
    variable_list run(const at::Tensor& x_ND, const ForwardOptions& called, std::vector<RouterLosses>& routers) const {
        ForwardContext context{called, routers, names};
        variable_list outputs{block->forward(x_ND, *layout, context)};
        for (const RouterLosses& router : routers)
            for (const RouterLoss& loss : router.losses) outputs.push_back(loss.value);
        return outputs;
    }
};

class CheckpointedBlock : public torch::autograd::Function<CheckpointedBlock> {
public:
    static variable_list forward(AutogradContext* context, const at::Tensor& x_ND, const c10::intrusive_ptr<Recipe>& recipe, const ForwardOptions* called,
                                 std::vector<RouterLosses>* routers) {
        context->saved_data["recipe"] = c10::IValue::make_capsule(recipe);
        context->save_for_backward({x_ND});
        context->set_materialize_grads(false);
        return recipe->run(x_ND, *called, *routers);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const auto recipe = c10::static_intrusive_pointer_cast<Recipe>(context->saved_data["recipe"].toCapsule());
        at::Tensor x_ND = context->get_saved_variables()[0].detach();
        x_ND.requires_grad_(true);
        const at::AutoGradMode with_gradient(true);
        std::vector<RouterLosses> routers;
        const variable_list outputs = recipe->run(x_ND, recipe->options, routers);
        variable_list reached, arriving;
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
            reached.push_back(outputs[i]);
            arriving.push_back(gradients[i]);
        }
        torch::autograd::backward(reached, arriving);
        return {x_ND.grad(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

}  // namespace

at::Tensor forwardCheckpointed(const std::shared_ptr<const MultiwayBlock>& block, const at::Tensor& x_ND, const std::shared_ptr<const TokenLayout>& layout,
                               ForwardContext& context) {
    TORCH_CHECK(x_ND.requires_grad(), "nothing to compute again without a gradient");
    const auto recipe = c10::make_intrusive<Recipe>();
    recipe->block = block;
    recipe->layout = layout;
    recipe->options = context.options;
    recipe->options.observer = nullptr;
    recipe->names = context.names;
    std::vector<RouterLosses> routers;
    const variable_list outputs = CheckpointedBlock::apply(x_ND, recipe, &context.options, &routers);
    std::size_t next = 1;
    for (RouterLosses& router : routers)
        for (RouterLoss& loss : router.losses) loss.value = outputs[next++];
    context.router_losses.insert(context.router_losses.end(), std::make_move_iterator(routers.begin()), std::make_move_iterator(routers.end()));
    return outputs[0];
}

}  // namespace es::engine
