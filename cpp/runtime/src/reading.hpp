#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "reply.hpp"

namespace ktrdr {

/// In a form that may be told twice.
inline std::shared_ptr<BodyPieces> tellable(BodyPieces&& pieces) {
    return std::make_shared<BodyPieces>(std::move(pieces));
}
inline std::vector<ServerEvent> tellable(std::vector<ServerEvent>&& events) {
    return std::move(events);
}

/// Reads from a source for somebody who may give up waiting at any time: what they did not hear of is told to who asks
/// next.
///
/// Thread safety: the io thread only.
template <class Source, class Value>
class Reading final : public std::enable_shared_from_this<Reading<Source, Value>> {
public:
    explicit Reading(std::shared_ptr<Source> source) : source_(std::move(source)) {}

    [[nodiscard]] Source& source() const noexcept { return *source_; }
    /// `heard`: how many replies have arrived. Who asks while another waits takes their place.
    void next(std::uint64_t heard, ReplyTo to) {
        if (heard < told_) {
            to.post(Result<Value>(*last_));
            return;
        }
        last_.reset();
        boost::asio::io_context& io = to.runtime.io().context();
        to_.emplace(std::move(to));
        if (!std::exchange(reading_, true)) {
            boost::asio::co_spawn(io, read(this->shared_from_this()),
                                  [self = this->shared_from_this()](const std::exception_ptr& thrown) {
                                      self->reading_ = self->reading_ && !thrown;
                                      (*self->to_)(thrown);
                                  });
        }
    }

private:
    static boost::asio::awaitable<void> read(std::shared_ptr<Reading> self) {
        auto outcome = co_await self->source_->next();
        self->reading_ = false;
        if (!outcome) {
            // The source says it again, or tries again.
            self->to_->post(Result<Value>(std::move(outcome).error()));
            co_return;
        }
        self->last_.emplace(tellable(std::move(*outcome)));
        ++self->told_;
        self->to_->post(Result<Value>(*self->last_));
    }

    std::shared_ptr<Source> source_;
    bool reading_{false};
    std::uint64_t told_{0};
    /// What was told last, until it is known to have arrived.
    std::optional<Value> last_{};
    std::optional<ReplyTo> to_{};
};

}  // namespace ktrdr
