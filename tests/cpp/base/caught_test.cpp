#include <ktrdr/base/caught.hpp>

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

template <class Thrown>
Error what_becomes_of(Thrown thrown) {
    try {
        throw thrown;
    } catch (...) {
        return caught("loading a page");
    }
}

TEST(Caught, KeepsAnErrorOfOurs) {
    const Error own = fail(Errc::not_found, "there is no such page", {{"page", 3}});
    EXPECT_EQ(what_becomes_of(ErrorException(own)), own);
}

TEST(Caught, TellsThatMemoryOrThreadsRanOut) {
    EXPECT_EQ(what_becomes_of(std::bad_alloc{}).code, Errc::out_of_resources);
    for (const std::errc shortage : {std::errc::resource_unavailable_try_again, std::errc::not_enough_memory,
                                     std::errc::too_many_files_open, std::errc::too_many_files_open_in_system}) {
        const std::system_error thrown(std::make_error_code(shortage), "thread");
        EXPECT_EQ(what_becomes_of(thrown).code, Errc::out_of_resources);
    }
    const auto other = std::make_error_code(std::errc::permission_denied);
    EXPECT_EQ(what_becomes_of(std::system_error(other)).code, Errc::internal);
}

TEST(Caught, SaysWhatWasDoneAndWhatWasThrown) {
    const Error error = what_becomes_of(std::runtime_error("no such number"));
    EXPECT_EQ(error.code, Errc::internal);
    EXPECT_EQ(error.message, "loading a page: no such number");
    EXPECT_EQ(what_becomes_of(3).message, "loading a page: an exception of no known type");
}

TEST(Survive, LogsWhatEscapesAndGoesOn) {
    struct Kept final : LogSink {
        void write(LogRecord record) override { records.push_back(std::move(record)); }
        std::vector<LogRecord> records;
    } kept;
    LogSink* const before = set_log_sink(&kept);
    survive("tests", "a step", [] { throw std::runtime_error("gone"); });
    survive("tests", "a step", [] {});
    set_log_sink(before);
    ASSERT_EQ(kept.records.size(), 1U);
    EXPECT_EQ(kept.records[0].level, LogLevel::error);
    EXPECT_EQ(kept.records[0].message, "an exception reached the end of a thread's loop: a step: gone");
}

}  // namespace
}  // namespace ktrdr
