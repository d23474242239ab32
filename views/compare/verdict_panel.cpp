// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare/verdict_panel.h"

#include <QJsonArray>
#include <QRegularExpression>
#include <QVBoxLayout>

#include "views/models/panel_json.h"

namespace es::views {

QString emphasised(const QString& sentence) {
    static const QRegularExpression numbers(
        QStringLiteral("((?<=by |differs )[+\\-−]?\\d+(?:\\.\\d+)?(?: ?± ?\\d+(?:\\.\\d+)?)?|\\d+(?:\\.\\d+)?[ \u00a0]?[x×](?= (?:less|more)))"));
    QString rich = sentence.toHtmlEscaped();
    // A ratio is not torn from its sign at the end of a line.
    rich.replace(QStringLiteral(" x less"), QStringLiteral("\u00a0× less")).replace(QStringLiteral(" x more"), QStringLiteral("\u00a0× more"));
    rich.replace(numbers, QStringLiteral("<b>\\1</b>"));
    return rich;
}

VerdictPanel::VerdictPanel(Theme* theme, QWidget* parent) : PanelFrame(theme, tr("Verdict"), parent), theme_(theme) {
    setObjectName(QStringLiteral("verdictPanel"));
    auto* body = new QWidget;
    auto* layout = new QVBoxLayout(body);
    layout->setContentsMargins(10, 8, 10, 8);
    layout->setSpacing(8);
    const auto words = [&] {
        auto* label = new QLabel;
        label->setWordWrap(true);
        label->setTextFormat(Qt::RichText);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
        layout->addWidget(label);
        return label;
    };
    verdict_ = words();
    verdict_->setObjectName(QStringLiteral("verdict"));
    third_ = words();
    third_->setProperty("role", QStringLiteral("muted"));
    losses_ = new ForestPlot(theme_);
    losses_->setAccessibleName(tr("Difference of each loss"));
    layout->addWidget(losses_);
    checks_ = words();
    setContent(body);
    connect(theme_, &Theme::changed, this, &VerdictPanel::paintBox);
    paintBox();
}

void VerdictPanel::paintBox() {
    const ThemeColors& c = theme_->colors();
    verdict_->setStyleSheet(QStringLiteral("QLabel { background: %1; border: 1px solid %2; border-radius: %3px; padding: 8px 10px; }")
                                .arg(c.accentGround.name(), c.line.name())
                                .arg(theme_->metrics().radius));
    // What passed takes one line, with the whole in its tooltip; what did not is said in full.
    QString lines;
    QStringList passed;
    for (const QString& text : check_text_)
        if (text.startsWith(QLatin1Char('+'))) passed.append(text.mid(1));
    QStringList shown = check_text_.filter(QRegularExpression(QStringLiteral("^-")));
    if (!passed.isEmpty()) shown.append(QLatin1Char('+') + (passed.size() == 1 ? passed.first() : tr("%1 checks passed").arg(passed.size())));
    checks_->setToolTip(passed.join(QLatin1Char('\n')));
    for (const QString& text : shown) {
        const bool ok = text.startsWith(QLatin1Char('+'));
        lines += QStringLiteral("<div style='margin-top:2px'><span style='color:%1'>%2</span> %3</div>")
                     .arg(Theme::legible(ok ? c.good : c.warn, c.panel).name(), ok ? QStringLiteral("✓") : QStringLiteral("⚠"), text.mid(1).toHtmlEscaped());
    }
    checks_->setText(lines);
    checks_->setVisible(!lines.isEmpty());
}

void VerdictPanel::showAnswer(const CompareAnswer& answer) {
    verdict_text_ = QString::fromStdString(answer.comparison.verdict);
    verdict_->setText(emphasised(verdict_text_));
    third_text_.clear();
    for (const std::string& sentence : answer.third_arms) third_text_.append(QString::fromStdString(sentence));
    third_->setText(tr("<b>Third arm.</b> %1").arg(emphasised(third_text_.join(QLatin1Char(' ')))));
    third_->setVisible(!third_text_.isEmpty());
    losses_panel_ = answer.losses;
    if (const auto* forest = std::get_if<analysis::ForestPanel>(&answer.losses->content)) {
        losses_->setPanel(std::shared_ptr<const analysis::ForestPanel>(answer.losses, forest));
        losses_->setFixedHeight(std::max(80, losses_->sizeHint().height()));
    }
    check_text_.clear();
    for (const auto& check : answer.comparison.checks)
        check_text_.append((check.ok ? QLatin1Char('+') : QLatin1Char('-')) + QString::fromStdString(check.words));
    paintBox();
    QStringList notes;
    for (const std::string& note : answer.comparison.notes) notes.append(QString::fromStdString(note));
    setNotes(notes);
    showReady();
}

QJsonObject VerdictPanel::dump() const {
    QJsonValue shown(QJsonValue::Null);
    if (losses_panel_ && state() != State::kFailed && state() != State::kEmpty)
        shown = QJsonObject{{QStringLiteral("verdict"), verdict_text_},
                            {QStringLiteral("third_arms"), QJsonArray::fromStringList(third_text_)},
                            {QStringLiteral("checks"), QJsonArray::fromStringList(check_text_)},
                            {QStringLiteral("losses"), toJson(*losses_panel_)}};
    return dumpPanel(QStringLiteral("verdict"), *this, shown);
}

}  // namespace es::views
