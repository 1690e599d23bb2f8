#include <ktrdr/runtime/log_queue.hpp>

#include <fmt/format.h>

namespace ktrdr {

void LogQueue::write(LogRecord record) {
    std::vector<std::shared_ptr<Mailbox>> readers;
    {
        const std::scoped_lock lock(mutex_);
        if (records_.size() >= limit_) {
            ++dropped_;
            return;
        }
        records_.push_back(std::move(record));
        if (records_.size() > 1) {
            return;
        }
        std::erase_if(readers_, [](const auto& reader) { return reader.expired(); });
        for (const auto& reader : readers_) {
            readers.push_back(reader.lock());
        }
    }
    for (const auto& reader : readers) {
        if (reader) {
            reader->wake();
        }
    }
}

std::vector<LogRecord> LogQueue::take() {
    const std::scoped_lock lock(mutex_);
    if (dropped_ > 0) {
        records_.push_back({LogLevel::warning, "runtime",
                            fmt::format("log queue full: {} records dropped (limit {})", dropped_, limit_), "",
                            system_clock().utc_now()});
        dropped_ = 0;
    }
    return std::exchange(records_, {});
}

void LogQueue::add_reader(const std::shared_ptr<Mailbox>& mailbox) {
    const std::scoped_lock lock(mutex_);
    readers_.push_back(mailbox);
}

}  // namespace ktrdr
