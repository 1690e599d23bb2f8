#include <ktrdr/runtime/mailbox.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace ktrdr {

Mailbox::Mailbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) {
        throw ErrorException(fail(
            Errc::internal, fmt::format("no descriptor for a mailbox: {}; raise `ulimit -n`", std::strerror(errno))));
    }
}

Mailbox::~Mailbox() {
    ::close(fd_);
}

void Mailbox::post(Mail mail) {
    if (post_quietly(std::move(mail))) {
        wake();
    }
}

bool Mailbox::post_quietly(Mail mail) {
    const std::scoped_lock lock(mutex_);
    if (mail.kind == Mail::Kind::progress || mail.kind == Mail::Kind::events) {
        const auto last =
            std::find_if(mails_.rbegin(), mails_.rend(), [&mail](const Mail& other) { return other.key == mail.key; });
        if (last != mails_.rend() && last->kind == mail.kind &&
            last->progress.current_step == mail.progress.current_step) {
            last->progress = std::move(mail.progress);
            return false;
        }
    }
    mails_.push_back(std::move(mail));
    return mails_.size() == 1;
}

void Mailbox::wake() noexcept {
    const std::uint64_t one = 1;
    // A full counter (EAGAIN) means that the descriptor is readable already.
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

std::vector<Mail> Mailbox::take(std::size_t limit) {
    std::uint64_t count = 0;
    // Read before the swap: a post that comes in between makes the descriptor readable again.
    [[maybe_unused]] const auto read = ::read(fd_, &count, sizeof count);
    const std::scoped_lock lock(mutex_);
    if (mails_.size() <= limit) {
        return std::exchange(mails_, {});
    }
    const auto end = mails_.begin() + static_cast<std::ptrdiff_t>(limit);
    std::vector<Mail> taken(std::make_move_iterator(mails_.begin()), std::make_move_iterator(end));
    mails_.erase(mails_.begin(), end);
    wake();
    return taken;
}

bool Mailbox::wait_for(std::chrono::milliseconds timeout) const noexcept {
    pollfd poll_fd{fd_, POLLIN, 0};
    return ::poll(&poll_fd, 1, static_cast<int>(std::clamp<std::int64_t>(timeout.count(), 0, 1'000'000))) > 0;
}

void MailboxListener::on_progress(const ProgressState& state) {
    mailbox_->post({Mail::Kind::progress, key_, state, std::nullopt});
}

void MailboxListener::on_events() {
    mailbox_->post({Mail::Kind::events, key_, {}, std::nullopt});
}

void MailboxListener::on_finished() {
    mailbox_->post({Mail::Kind::finished, key_, {}, std::nullopt});
}

}  // namespace ktrdr
