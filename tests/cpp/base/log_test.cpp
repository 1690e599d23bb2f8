#include <gmock/gmock.h>

#include <vector>

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

class Lines final : public LogSink {
public:
    void write(LogRecord record) override { records.push_back(std::move(record)); }
    std::vector<LogRecord> records{};
};

class Log : public testing::Test {
protected:
    ~Log() override { set_log_sink(before_); }

    LogSink* const before_ = set_log_sink(nullptr);
    Lines lines_{};
};

TEST_F(Log, DropsRecordsWithoutASink) {
    log(LogLevel::error, "base", "nobody hears this");
    EXPECT_FALSE(log_enabled(LogLevel::error));
}

TEST_F(Log, HandsARecordOver) {
    EXPECT_EQ(set_log_sink(&lines_), nullptr);
    log(LogLevel::warning, "http", "retry: 3", "op_1");
    ASSERT_THAT(lines_.records, SizeIs(1));
    const LogRecord& record = lines_.records.front();
    EXPECT_EQ(record.level, LogLevel::warning);
    EXPECT_EQ(record.room, "http");
    EXPECT_EQ(record.message, "retry: 3");
    EXPECT_EQ(record.operation_id, "op_1");
    EXPECT_GT(record.time, UtcTime{});
}

TEST_F(Log, KeepsBackWhatIsBelowTheLeastLevel) {
    set_log_sink(&lines_, LogLevel::info);
    EXPECT_FALSE(log_enabled(LogLevel::debug));
    EXPECT_TRUE(log_enabled(LogLevel::info));
    log(LogLevel::debug, "http", "small");
    log(LogLevel::info, "http", "large");
    EXPECT_THAT(lines_.records, ElementsAre(Field(&LogRecord::message, "large")));
}

TEST_F(Log, GivesBackTheSinkBefore) {
    set_log_sink(&lines_);
    EXPECT_EQ(set_log_sink(nullptr), &lines_);
}

}  // namespace
}  // namespace ktrdr
