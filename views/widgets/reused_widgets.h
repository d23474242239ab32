// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLayout>
#include <QWidget>
#include <functional>
#include <utility>
#include <vector>

namespace es::views {

/// Widgets of one layout that are taken again for the next contents: making and styling widgets anew takes longer than drawing them. Which widget is
/// made for a place is up to the maker; it is filled by whoever asks for it. The layout and its widget must outlive this. GUI thread only.
template <class Widget>
class ReusedWidgets {
public:
    using Make = std::function<Widget*(std::size_t place)>;
    ReusedWidgets(QLayout* layout, Make make) : layout_(layout), make_(std::move(make)) {}
    /// Keeps the first of them, and makes what is missing.
    void resize(std::size_t count) {
        while (widgets_.size() > count) {
            layout_->removeWidget(widgets_.back());
            widgets_.back()->hide();
            widgets_.back()->deleteLater();
            widgets_.pop_back();
        }
        while (widgets_.size() < count) {
            Widget* made = make_(widgets_.size());
            layout_->addWidget(made);
            made->show();
            widgets_.push_back(made);
        }
    }
    [[nodiscard]] std::size_t size() const { return widgets_.size(); }
    [[nodiscard]] Widget* operator[](std::size_t place) const { return widgets_[place]; }

private:
    QLayout* layout_;
    Make make_;
    std::vector<Widget*> widgets_;
};

}  // namespace es::views
