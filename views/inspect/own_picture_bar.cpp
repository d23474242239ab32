// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/own_picture_bar.h"

#include <QFileInfo>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QImageReader>
#include <QKeyEvent>
#include <QPainter>

#include "views/overlay/picture_image.h"
#include "views/widgets/controls.h"

namespace es::views {
namespace {

constexpr int kPreview = 44;
constexpr int kLongestPasted = 2048;  // a model sees far less; a screenshot of two screens need not be copied whole

constexpr int kLongestCaption = 1'000'000;  // the model takes its first words and says so; nothing is cut before

QImage previewOf(const QString& path) {
    QImageReader reader(path);
    reader.setAutoTransform(true);
    if (const QSize size = reader.size(); size.isValid()) reader.setScaledSize(size.scaled(4 * kPreview, 4 * kPreview, Qt::KeepAspectRatio).expandedTo({1, 1}));
    return reader.read();
}

}  // namespace

OwnPictureBar::OwnPictureBar(InspectModel* model, QWidget* parent) : QFrame(parent), model_(model) {
    Theme* theme = model_->context().theme;
    setObjectName(QStringLiteral("ownPicture"));
    preview_ = new QLabel(this);
    preview_->setFixedSize(kPreview, kPreview);
    preview_->setAlignment(Qt::AlignCenter);
    name_ = new QLabel(this);
    name_->setProperty("role", QStringLiteral("strong"));
    name_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    caption_ = new QLineEdit(this);
    caption_->setPlaceholderText(tr("Caption (optional)"));
    caption_->setAccessibleName(tr("Caption of the own picture"));
    caption_->setMaxLength(kLongestCaption);
    problem_ = new QLabel(this);
    problem_->setWordWrap(true);
    problem_->setProperty("role", QStringLiteral("bad"));
    problem_->hide();
    run_ = makeButton(theme, tr("Run"), ButtonKind::kPrimary, QStringLiteral("play"), this);
    dismiss_ = makeButton(theme, tr("Dismiss"), ButtonKind::kQuiet, {}, this);
    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(8, 8, 8, 8);
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(6);
    grid->addWidget(preview_, 0, 0, 2, 1, Qt::AlignTop);
    grid->addWidget(name_, 0, 1);
    grid->addWidget(caption_, 1, 1);
    grid->addWidget(problem_, 2, 0, 1, 2);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(run_);
    buttons->addWidget(dismiss_);
    buttons->addStretch(1);
    grid->addLayout(buttons, 3, 0, 1, 2);
    grid->setColumnStretch(1, 1);
    hide();
    connect(caption_, &QLineEdit::returnPressed, this, &OwnPictureBar::submit);
    connect(run_, &QPushButton::clicked, this, &OwnPictureBar::submit);
    connect(dismiss_, &QPushButton::clicked, this, &QWidget::hide);
    connect(caption_, &QLineEdit::textChanged, this, &OwnPictureBar::refresh);
    connect(model_, &InspectModel::ownRunChanged, this, &OwnPictureBar::refresh);
    connect(model_, &InspectModel::runChanged, this, &OwnPictureBar::refresh);
    connect(model_, &InspectModel::ownRunFailed, this, [this](const Error& error) {
        if (error.kind == ErrorKind::kStopped) return;
        problem_->setText(QString::fromStdString(error.message()));
        problem_->show();
    });
    connect(model_, &InspectModel::ownRunSucceeded, this, &QWidget::hide);
}

void OwnPictureBar::offer(session::SampleRequest request, const QString& name) {
    request_ = std::move(request);
    name_->setText(name);
    name_->setToolTip(name);
    caption_->clear();
    problem_->hide();
    refresh();
    show();
    caption_->setFocus();
}

void OwnPictureBar::showPreview(const QImage& image) {
    preview_->setPixmap(image.isNull() ? model_->context().theme->icon(QStringLiteral("image"), model_->context().theme->colors().faint, 20)
                                       : QPixmap::fromImage(thumbnail(toPicture(image), kPreview, devicePixelRatioF())));
}

void OwnPictureBar::offerFile(const QString& path) {
    session::SampleRequest request;
    request.image_file = std::filesystem::path(path.toStdString());
    showPreview({});
    offer(std::move(request), QFileInfo(path).fileName());
    model_->context().jobs->run<QImage>(
        this, QStringLiteral("preview"), tr("Reading %1").arg(QFileInfo(path).fileName()), [path](JobContext&) -> Result<QImage> { return previewOf(path); },
        [this](Result<QImage> image) {
            if (image) showPreview(*image);
        });
}

void OwnPictureBar::offerImage(const QImage& image) {
    session::SampleRequest request;
    const bool large = std::max(image.width(), image.height()) > kLongestPasted;
    request.picture = toPicture(large ? image.scaled(kLongestPasted, kLongestPasted, Qt::KeepAspectRatio, Qt::SmoothTransformation) : image);
    if (image.isNull()) preview_->setPixmap(model_->context().theme->icon(QStringLiteral("text"), model_->context().theme->colors().faint, 20));
    else showPreview(image);
    offer(std::move(request), image.isNull() ? tr("Caption without a picture") : tr("Pasted picture"));
}

void OwnPictureBar::submit() {
    if (!run_->isEnabled()) return;
    problem_->hide();
    session::SampleRequest request = request_;
    request.caption = caption_->text().trimmed().toStdString();
    model_->runOwn(std::move(request));
}

void OwnPictureBar::refresh() {
    const bool pictured = !request_.picture.empty() || !request_.image_file.empty();
    QString why;
    if (model_->runPart() != InspectModel::Part::kReady) why = tr("No run is open");
    else if (model_->runningOwn()) why = tr("The picture is running");
    else if (!pictured && caption_->text().trimmed().isEmpty()) why = tr("Type a caption, or drop a picture");
    setDisabledReason(run_, why);
    run_->setText(model_->runningOwn() ? tr("Running…") : tr("Run"));
    caption_->setPlaceholderText(pictured ? tr("Caption (optional)") : tr("Caption"));
}

void OwnPictureBar::keyPressEvent(QKeyEvent* event) {
    if (event->key() != Qt::Key_Escape) return QFrame::keyPressEvent(event);
    hide();
    event->accept();
}

void OwnPictureBar::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = model_->context().theme->colors();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colors.accent, 1));
    painter.setBrush(colors.accentGround);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5);
}

}  // namespace es::views
