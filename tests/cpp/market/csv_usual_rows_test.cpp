// Rows that are read in one pass are those that the reader of lines reads: it takes whatever comes in pieces of a byte.
#include <ktrdr/market/csv_reader.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include <ktrdr/market/time_text.hpp>

#include "soak.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

struct Read {
    Result<Bars> bars{Bars{}};
    CsvStyle style{};
    std::vector<std::size_t> lines{};
};

Read read_rows(std::string_view text, std::size_t piece, CsvLimits limits = {}) {
    CsvReader reader("a.csv", limits);
    reader.expect(text.size());
    for (std::size_t first = 0; first < text.size(); first += piece) {
        // In memory of just its size, so that a sanitizer sees who reads behind it.
        const std::string_view part = text.substr(first, piece);
        const std::vector<char> exact(part.begin(), part.end());
        if (const auto fed = reader.feed({exact.data(), exact.size()}); !fed) {
            return {fed.error(), {}, {}};
        }
    }
    Read done{reader.finish(), reader.style(), {}};
    for (std::size_t row = 0; done.bars && row < done.bars->size(); ++row) {
        done.lines.push_back(reader.line_of(row));
    }
    return done;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

void expect_as_by_lines(const std::string& text, CsvLimits limits = {}) {
    const Read lines = read_rows(text, 1, limits);
    for (const std::size_t piece : {text.size() + 1, std::size_t{7}, std::size_t{100}}) {
        const Read usual = read_rows(text, piece, limits);
        ASSERT_EQ(usual.bars.has_value(), lines.bars.has_value())
            << text << "\n"
            << (usual.bars ? lines.bars.error().message : usual.bars.error().message);
        if (!usual.bars) {
            ASSERT_EQ(usual.bars.error().message, lines.bars.error().message) << text;
            continue;
        }
        const Bars& a = *usual.bars;
        const Bars& b = *lines.bars;
        ASSERT_TRUE(a.time == b.time && same_bits(a.open, b.open) && same_bits(a.high, b.high) &&
                    same_bits(a.low, b.low) && same_bits(a.close, b.close) && same_bits(a.volume, b.volume))
            << text;
        ASSERT_EQ(usual.style, lines.style) << text;
        ASSERT_EQ(usual.lines, lines.lines) << text;
    }
}

std::string any_number(std::mt19937_64& random) {
    switch (random() % 10) {
        case 0: return fmt::format("{}", random() % 100'000);
        case 1: return fmt::format("{}.0", random() % 100'000);
        case 2: return fmt::format("{}", static_cast<double>(random() >> (random() % 60)) / 1e9);
        case 3: return fmt::format("{:.17g}", static_cast<double>(random()) * 1e-15);
        case 4: return fmt::format("-{}.{}", random() % 10, random() % 1000);
        case 5: return random() % 2 == 0 ? "-0" : "-0.0";
        case 6: return fmt::format("{}e-{}", random() % 100, random() % 12);
        case 7: return fmt::format("{}", random());
        default: return fmt::format("{}.{:02}", random() % 1000, random() % 100);
    }
}

/// What a file may have in place of a number.
std::string any_value(std::mt19937_64& random, bool odd) {
    constexpr std::array<std::string_view, 14> others{"",     " 1.5", "1.5 ", "\"1.5\"", "1.", ".5",  "01",
                                                      "+1.5", "nan",  "inf",  "1e999",   "x",  "1,5", "1e"};
    return odd && random() % 12 == 0 ? std::string(others[random() % others.size()]) : any_number(random);
}

std::string any_file(std::mt19937_64& random, bool odd) {
    constexpr std::array<std::string_view, 3> separators{",", ";", "\t"};
    const std::string_view separator = separators[random() % separators.size()];
    const std::string_view ending = random() % 3 == 0 ? "\r\n" : "\n";
    constexpr std::array<std::array<std::string_view, 6>, 3> heads{
        {{"timestamp", "open", "high", "low", "close", "volume"},
         {"volume", "close", "Low", "high", "Open", "Date"},
         {"time", "open", "high", "low", "close", ""}}};
    const auto& head = heads[random() % heads.size()];
    const std::size_t columns = head.back().empty() ? 5 : 6;
    std::string text = random() % 5 == 0 ? "\xEF\xBB\xBF" : "";
    for (std::size_t i = 0; i < columns; ++i) {
        text.append(i == 0 ? "" : separator).append(head[i]);
    }
    text += ending;
    UtcTime time = ktrdr::at("2024-01-02T09:30");
    const std::size_t rows = random() % 12;
    for (std::size_t row = 0; row < rows; ++row, time += std::chrono::minutes{random() % 2000}) {
        for (std::size_t i = 0; i < columns; ++i) {
            const bool stamp = head[i] == "timestamp" || head[i] == "Date" || head[i] == "time";
            text.append(i == 0 ? "" : separator).append(stamp ? format_time(time) : any_value(random, odd));
        }
        text.append(row + 1 == rows && random() % 2 == 0 ? "" : ending);
        text.append(odd && random() % 9 == 0 ? ending : "");
    }
    return text;
}

TEST(CsvUsualRows, AreThoseOfTheReaderOfLines) {
    std::mt19937_64 random(23);
    const int cases = soak_count(600, 100'000);
    for (int i = 0; i < cases && !testing::Test::HasFailure(); ++i) {
        expect_as_by_lines(any_file(random, i % 2 == 0));
    }
}

TEST(CsvUsualRows, KeepTheLimitsOfAFile) {
    const std::string row = "2024-01-02T09:30:00Z,1,2,0.5,1.5,7\n";
    const std::string text = "timestamp,open,high,low,close,volume\n" + row + row + row;
    for (std::size_t rows = 1; rows < 5; ++rows) {
        expect_as_by_lines(text, {.longest_line = 64, .most_rows = rows});
    }
    for (std::size_t bytes = row.size() - 3; bytes < row.size() + 5; ++bytes) {
        expect_as_by_lines(text.substr(37), {.longest_line = bytes, .most_rows = 9});
        expect_as_by_lines("time,open,high,low,close,v\n" + row, {.longest_line = bytes, .most_rows = 9});
    }
}

TEST(CsvUsualRows, WithAnyByteChangedAreThoseOfTheReaderOfLines) {
    const std::string text =
        "timestamp,open,high,low,close,volume\n2024-01-02T09:30:00Z,1.5,2.0,-0.5,1e1,7\r\n2024-01-02T09:31:00Z,1,2,0,1,"
        "-1\n";
    for (std::size_t place = 0; place < text.size(); ++place) {
        for (const char c : std::string_view(",;\t\"\r\n 0-.eZ\0x", 14)) {
            std::string changed = text;
            changed[place] = c;
            expect_as_by_lines(changed);
        }
    }
}

}  // namespace
}  // namespace ktrdr
