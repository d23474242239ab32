// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/models/selection_model.h"

namespace es::views {

class SelectionCommand : public QUndoCommand {
public:
    SelectionCommand(SelectionModel* model, Selection before, Selection after, const QString& what, int merge_id)
        : QUndoCommand(what), model_(model), before_(std::move(before)), after_(std::move(after)), merge_id_(merge_id) {}
    void redo() override { model_->apply(after_); }
    void undo() override { model_->apply(before_); }
    [[nodiscard]] int id() const override { return merge_id_; }
    bool mergeWith(const QUndoCommand* next) override {
        after_ = static_cast<const SelectionCommand*>(next)->after_;
        setObsolete(after_ == before_);
        return true;
    }

private:
    SelectionModel* model_;
    Selection before_, after_;
    int merge_id_;
};

SelectionModel::SelectionModel(QObject* parent) : QObject(parent) { undo_.setUndoLimit(200); }

void SelectionModel::change(const Selection& next, const QString& what, int merge_id) {
    if (next == current_) return;
    undo_.push(new SelectionCommand(this, current_, next, what, merge_id));
}

void SelectionModel::reset(const Selection& next) {
    undo_.clear();
    apply(next);
}

void SelectionModel::apply(const Selection& next) {
    if (next == current_) return;
    const Selection before = std::exchange(current_, next);
    Q_EMIT changed(current_, before);
}

}  // namespace es::views
