#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/log.hpp>
#include <ktrdr/runtime/mailbox.hpp>

namespace ktrdr {

/// Log records on their way to Python: bounded, with a count of what was dropped.
class KTRDR_EXPORT LogQueue final : public LogSink {
public:
    explicit LogQueue(std::size_t limit) : limit_(limit) {}
    void write(LogRecord record) override;
    [[nodiscard]] std::vector<LogRecord> take();
    /// Mailboxes to wake when records come; a mailbox that is gone is forgotten.
    void add_reader(const std::shared_ptr<Mailbox>& mailbox);

private:
    const std::size_t limit_;
    std::mutex mutex_;
    std::vector<LogRecord> records_{};
    std::size_t dropped_{0};
    std::vector<std::weak_ptr<Mailbox>> readers_{};
};

}  // namespace ktrdr
