#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr::test {

/// FNV-1a over the columns in their order, as the first files have it.
inline std::int64_t first_sum(const Bars& bars) {
    std::uint64_t sum = 0xcbf29ce484222325ULL;
    const auto add = [&sum](const auto& column) {
        for (const std::byte byte : std::as_bytes(std::span(column))) {
            sum = (sum ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3ULL;
        }
    };
    add(bars.time);
    for (const auto* const column : {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume}) {
        add(*column);
    }
    return std::bit_cast<std::int64_t>(sum);
}

/// Put bars into a file as the first version did: a year of an intraday series in one row, the whole of a longer one.
/// None of the series may be there.
inline void write_first_chunks(const std::filesystem::path& file, const SeriesKey& key, const Bars& bars) {
    SQLite::Database raw(file.string(), SQLite::OPEN_READWRITE);
    SQLite::Transaction transaction(raw);
    SQLite::Statement series(raw,
                             "INSERT INTO series(provider, symbol, timeframe, what_to_show, session) VALUES (?, ?, ?, "
                             "?, ?)");
    series.bind(1, key.provider);
    series.bind(2, key.symbol);
    series.bind(3, std::string(key.timeframe.name()));
    series.bind(4, key.what_to_show);
    series.bind(5, key.session);
    series.exec();
    const std::int64_t id = raw.getLastInsertRowid();
    const auto year = [&](std::size_t row) {
        const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(bars.start_of(row))};
        return key.timeframe.is_intraday() ? static_cast<int>(day.year()) : 0;
    };
    for (std::size_t first = 0; first < bars.size();) {
        std::size_t last = first;
        while (last < bars.size() && year(last) == year(first)) {
            ++last;
        }
        const Bars part = bars.rows(first, last);
        SQLite::Statement row(raw, "INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        row.bind(1, id);
        row.bind(2, year(first));
        row.bind(3, static_cast<std::int64_t>(part.size()));
        row.bind(4, part.time.front());
        row.bind(5, part.time.back());
        row.bind(6, first_sum(part));
        row.bind(7, part.time.data(), static_cast<int>(part.size() * 8));
        int index = 8;
        for (const auto* const column : {&part.open, &part.high, &part.low, &part.close, &part.volume}) {
            row.bind(index++, column->data(), static_cast<int>(part.size() * 8));
        }
        row.exec();
        first = last;
    }
    transaction.commit();
}

}  // namespace ktrdr::test
