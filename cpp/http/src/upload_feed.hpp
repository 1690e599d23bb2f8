#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>

#include "io_timer.hpp"
#include "upload_reader.hpp"

namespace ktrdr {

/// An upload on its way to a connection: one slice in hand, the next being read on another thread.
///
/// Thread safety: the io thread only.
/// Lifetime: what is being read keeps it; after `stop` nobody hears of it, and its file is closed with that.
class UploadFeed final : public std::enable_shared_from_this<UploadFeed>, private Counted<UploadFeed> {
public:
    /// `changed`: there is something in hand again after there was nothing, or it has failed. Never called from within
    /// a member.
    UploadFeed(IoExecutor io, Executor& reads, const std::shared_ptr<const Upload>& upload,
               std::function<void()> changed);

    /// Read the first slice.
    void begin() { read_on(); }
    [[nodiscard]] std::string_view in_hand() const noexcept { return std::string_view(hand_).substr(at_); }
    /// So much of what is in hand was sent.
    void sent(std::size_t bytes);
    /// All of it was sent.
    [[nodiscard]] bool is_over() const noexcept { return ended_ && in_hand().empty() && next_.empty(); }
    [[nodiscard]] const std::optional<Error>& failure() const noexcept { return failure_; }
    void stop() noexcept { changed_ = nullptr; }

private:
    void read_on();
    void arrived(std::string slice, Result<void> outcome);
    void take_next();

    IoExecutor io_;
    Executor& reads_;
    /// Its own thread's, while `reading_`.
    UploadReader reader_;
    std::function<void()> changed_;
    std::string hand_{};
    std::size_t at_{0};
    std::string next_{};
    /// What was sent, whose memory the next is read into.
    std::string spare_{};
    bool reading_{false};
    bool ended_{false};
    std::optional<Error> failure_{};
};

}  // namespace ktrdr
