#include <ktrdr/market/stamp_reader.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

/// As a stamp that stands alone is read.
std::optional<std::int64_t> alone(std::string_view text) {
    const auto time = parse_time("value", text);
    return time ? std::optional(time->time_since_epoch().count()) : std::nullopt;
}

TEST(StampReader, ReadsEveryStampAsItIsReadAlone) {
    StampReader reader;
    for (const auto* text : {"2024-01-02T09:30:00Z", "2024-01-02T09:31:00Z", "2024-01-02 09:32:00Z",
                             "2024-01-02T09:33:00.000Z", "2024-01-02T09:33:00.001Z", "2024-01-02T09:33:00.00Z",
                             "2024-01-02T09:34:00+01:00", "2024-01-02", "2024-01-02T24:00:00Z", "2024-01-02T09:60:00Z",
                             "2024-01-02T09:30:61Z", "2024-01-02T0a:30:00Z", "2024-01-02T09:30:00", "2024-01-02T",
                             "2024-02-30T00:00:00Z", "", "soon", "2024-01-02T09:30:00ZZ", "2024-01-02t09:30:00Z"}) {
        EXPECT_EQ(reader.read(text), alone(text)) << text;
    }
}

TEST(StampReader, ReadsTheLastAndTheFirstDayThereAre) {
    StampReader reader;
    for (const auto* day : {"2262-04-11", "1677-09-21"}) {
        for (int hour = 0; hour < 24; ++hour) {
            const std::string text = fmt::format("{}T{:02}:59:00Z", day, hour);
            EXPECT_EQ(reader.read(text), alone(text)) << text;
        }
    }
}

TEST(StampReader, ReadsStampsOfAnyOrder) {
    std::mt19937_64 random(3);
    StampReader reader;
    for (int i = 0; i < 20'000; ++i) {
        const std::string text =
            fmt::format("2024-{:02}-{:02}{}{:02}:{:02}:{:02}{}", random() % 2 + 1, random() % 4 + 1,
                        random() % 4 == 0 ? ' ' : 'T', random() % 25, random() % 61, random() % 61,
                        random() % 3 == 0   ? ".000Z"
                        : random() % 7 == 0 ? ""
                                            : "Z");
        ASSERT_EQ(reader.read(text), alone(text)) << text;
    }
}

}  // namespace
}  // namespace ktrdr
