#include "upload_feed.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <ktrdr/base/caught.hpp>

namespace ktrdr {
namespace asio = boost::asio;

UploadFeed::UploadFeed(IoExecutor io, Executor& reads, const std::shared_ptr<const Upload>& upload,
                       std::function<void()> changed)
    : io_(std::move(io)), reads_(reads), reader_(upload), changed_(std::move(changed)) {}

void UploadFeed::read_on() {
    reading_ = true;
    const auto arrive = [io = asio::make_work_guard(io_), self = shared_from_this()](std::string&& slice,
                                                                                     Result<void> outcome) {
        asio::post(io.get_executor(), [self, slice = std::move(slice), outcome = std::move(outcome)]() mutable {
            self->arrived(std::move(slice), std::move(outcome));
        });
    };
    try {
        reads_.post([this, arrive, slice = std::move(spare_)]() mutable {
            Result<void> outcome;
            try {
                outcome = reader_.read(slice);
            } catch (...) {
                outcome = caught("reading a body to send");
            }
            arrive(std::move(slice), std::move(outcome));
        });
    } catch (...) {
        arrive({}, caught("handing the reading of a body to another thread"));
    }
}

void UploadFeed::arrived(std::string slice, Result<void> outcome) {
    reading_ = false;
    if (!changed_) {
        return;
    }
    if (!outcome) {
        failure_ = std::move(outcome).error();
    } else if (slice.size() < UploadReader::slice_bytes) {
        ended_ = true;
    }
    next_ = std::move(slice);
    const bool starved = in_hand().empty();
    if (starved) {
        take_next();
    }
    if (starved || failure_) {
        // The one who hears it may let go of this.
        const auto self = shared_from_this();
        const auto changed = changed_;
        changed();
    }
}

void UploadFeed::sent(std::size_t bytes) {
    at_ += bytes;
    if (in_hand().empty()) {
        take_next();
    }
}

void UploadFeed::take_next() {
    if (reading_ || failure_) {
        return;
    }
    spare_ = std::exchange(hand_, std::exchange(next_, {}));
    at_ = 0;
    if (!ended_) {
        read_on();
    }
}

}  // namespace ktrdr
