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

/// The row among others that are written as nearly all are.
std::string among_others(const std::string& row) {
    std::string text = "timestamp,open,high,low,close,volume\n";
    const std::string other = "2024-01-02T09:31:00Z,100.25,101.5,99.75,100.5,1200.0\n";
    text += other + row;
    for (int i = 0; i < 5; ++i) {
        text += other;
    }
    return text;
}

TEST(CsvUsualRows, AmongOthersWithAnyByteChangedAreThoseOfTheReaderOfLines) {
    for (const std::string row : {"2024-02-29T23:59:59Z,1.5,1234567,-0.125,0,12.0\n",
                                  "2023-11-30 00:00:00Z,0.0000001,7654321.1234567,-1,10.50,-1\r\n"}) {
        for (std::size_t place = 0; place < row.size(); ++place) {
            for (const char c : std::string_view(",;\t\"\r\n 0123456789-+.eZT:\0x/\xb0\xff", 29)) {
                std::string changed = row;
                changed[place] = c;
                expect_as_by_lines(among_others(changed));
            }
        }
    }
}

TEST(CsvUsualRows, AreOfEveryLengthOfANumber) {
    std::mt19937_64 random(5);
    const auto digits = [&random](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            text += static_cast<char>('0' + random() % 10);
        }
        return text;
    };
    for (std::size_t whole = 0; whole < 12; ++whole) {
        for (std::size_t behind = 0; behind < 12; ++behind) {
            const std::string number = digits(whole) + (behind > 0 ? "." + digits(behind) : "");
            expect_as_by_lines(
                among_others("2024-01-02T09:32:00Z," + number + ",-" + number + ",1,1," + number + "\n"));
        }
    }
}

TEST(CsvUsualRows, OfEveryDayAreThoseOfTheReaderOfLines) {
    std::string text = "timestamp,open,high,low,close\n";
    const std::chrono::days step{17 * soak_step(5)};
    for (UtcTime day = ktrdr::at("1895-12-25"); day < ktrdr::at("2205-01-03"); day += step) {
        text += format_time(day).substr(0, 19) + "Z,1,2,0.5,1.5\n";
    }
    for (const char* const odd : {"1677-09-22", "1600-01-01", "2262-04-11", "2023-02-29", "2024-02-30", "2024-13-01",
                                  "2024-00-10", "2024-04-31", "0000-01-01", "2024-01-00"}) {
        expect_as_by_lines(text + odd + "T00:00:00Z,1,2,0.5,1.5\n" + text.substr(30));
    }
    expect_as_by_lines(text);
}

/// Read in so many parts, each by a reader of its own; nothing where one of them finds an error.
std::optional<Read> read_in_parts(std::string_view text, std::size_t parts, CsvLimits limits = {}) {
    CsvReader reader("a.csv", limits);
    const std::size_t head = text.find('\n') + 1;
    if (!reader.feed(text.substr(0, head)) || !reader.knows_columns()) {
        return std::nullopt;
    }
    text.remove_prefix(head);
    std::vector<CsvReader> readers;
    for (std::size_t part = 0; part < parts; ++part) {
        const std::size_t end = text.find('\n', text.size() / (parts - part));
        const std::size_t length = end == std::string_view::npos || part + 1 == parts ? text.size() : end + 1;
        readers.push_back(reader.reader_below());
        readers.back().expect(length);
        if (!readers.back().feed(text.substr(0, length)) || !readers.back().end_part()) {
            return std::nullopt;
        }
        text.remove_prefix(length);
    }
    for (CsvReader& below : readers) {
        if (!reader.take_below(std::move(below))) {
            return std::nullopt;
        }
    }
    Read done{reader.finish(), reader.style(), {}};
    for (std::size_t row = 0; done.bars && row < done.bars->size(); ++row) {
        done.lines.push_back(reader.line_of(row));
    }
    return done;
}

TEST(CsvParts, AreTogetherWhatOneReaderReads) {
    std::mt19937_64 random(29);
    const int cases = soak_count(400, 50'000);
    int joined = 0;
    for (int i = 0; i < cases && !testing::Test::HasFailure(); ++i) {
        const std::string text = any_file(random, i % 2 == 0);
        const Read whole = read_rows(text, text.size() + 1);
        const auto parts = read_in_parts(text, 2 + random() % 4);
        if (!parts || !parts->bars) {
            ASSERT_FALSE(whole.bars && parts) << text;
            continue;
        }
        ++joined;
        ASSERT_TRUE(whole.bars) << text;
        ASSERT_EQ(*parts->bars, *whole.bars) << text;
        ASSERT_EQ(parts->style, whole.style) << text;
        ASSERT_EQ(parts->lines, whole.lines) << text;
    }
    EXPECT_GT(joined, cases / 4);
}

TEST(CsvParts, HaveNoMoreRowsThanAFileMayHave) {
    std::string text = "timestamp,open,high,low,close,volume\n";
    for (int i = 10; i < 20; ++i) {
        text += fmt::format("2024-01-{}T09:30:00Z,1,2,0.5,1.5,7\n", i);
    }
    EXPECT_TRUE(read_in_parts(text, 3, {.most_rows = 10}));
    EXPECT_FALSE(read_in_parts(text, 3, {.most_rows = 9}));
}

}  // namespace
}  // namespace ktrdr
