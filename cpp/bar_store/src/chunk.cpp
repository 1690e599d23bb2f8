#include "chunk.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace ktrdr {
namespace {

static_assert(std::endian::native == std::endian::little, "chunks are written as the machine's own numbers");

std::array<const std::vector<double>*, 5> price_columns(const Bars& bars) {
    return {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
}

std::array<std::vector<double>*, 5> price_columns(Bars& bars) {
    return {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
}

template <class Number>
std::size_t byte_size(const std::vector<Number>& column) {
    return column.size() * sizeof(Number);
}

/// Hand the bytes of every column to `add`, in the order in which they are stored.
template <class Add>
void for_each_column(const Bars& bars, Add add) {
    add(reinterpret_cast<const unsigned char*>(bars.time.data()), byte_size(bars.time));
    for (const auto* column : price_columns(bars)) {
        add(reinterpret_cast<const unsigned char*>(column->data()), byte_size(*column));
    }
}

/// CRC-32: finds damage, not malice.
std::int64_t checksum(const Bars& bars) {
    uLong sum = crc32_z(0, nullptr, 0);
    for_each_column(bars, [&sum](const unsigned char* bytes, std::size_t size) { sum = crc32_z(sum, bytes, size); });
    return static_cast<std::int64_t>(sum);
}

/// The sum of chunks that the first files hold: FNV-1a (Fowler, Noll, Vo), 64 bits. They are read as they are, and get
/// the other sum when something is added to them.
std::int64_t first_checksum(const Bars& bars) {
    std::uint64_t sum = 0xcbf29ce484222325ULL;
    for_each_column(bars, [&sum](const unsigned char* bytes, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) {
            sum = (sum ^ bytes[i]) * 0x100000001b3ULL;
        }
    });
    return std::bit_cast<std::int64_t>(sum);
}

bool is_whole(const Bars& bars, std::int64_t stored) {
    return stored == checksum(bars) || stored == first_checksum(bars);
}

[[noreturn]] void throw_damaged(const SeriesKey& key, int part, const std::string& how) {
    const std::string chunk = part == 0 ? "the chunk of the whole series" : fmt::format("the chunk of {}", part);
    throw ErrorException(fail(
        Errc::storage,
        fmt::format("{} {}: {} is damaged ({}); restore the file from a copy, or move it away and load again",
                    key.symbol, key.timeframe.name(), chunk, how),
        {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}, {"provider", key.provider}, {"chunk", part}}));
}

template <class Number>
std::vector<Number> read_column(SQLite::Statement& row, int index, std::size_t rows, const SeriesKey& key, int part) {
    const SQLite::Column column = row.getColumn(index);
    const void* const data = column.getBlob();
    const auto size = static_cast<std::size_t>(column.getBytes());
    if (size != rows * sizeof(Number)) {
        throw_damaged(key, part, fmt::format("column {} has {} bytes for {} rows", column.getName(), size, rows));
    }
    std::vector<Number> numbers(rows);
    if (size > 0) {
        std::memcpy(numbers.data(), data, size);
    }
    return numbers;
}

Bars read_row(SQLite::Statement& row, const SeriesKey& key) {
    const int part = row.getColumn(0).getInt();
    const std::int64_t rows = row.getColumn(1).getInt64();
    if (rows < 1 || rows > (std::int64_t{1} << 32)) {
        throw_damaged(key, part, fmt::format("it says that it has {} rows", rows));
    }
    const auto count = static_cast<std::size_t>(rows);
    Bars bars;
    bars.time = read_column<std::int64_t>(row, 5, count, key, part);
    int index = 6;
    for (auto* column : price_columns(bars)) {
        *column = read_column<double>(row, index++, count, key, part);
    }
    if (!is_whole(bars, row.getColumn(4).getInt64())) {
        throw_damaged(key, part, "its checksum does not fit");
    }
    if (bars.time.front() != row.getColumn(2).getInt64() || bars.time.back() != row.getColumn(3).getInt64()) {
        throw_damaged(key, part, "its first or last stamp does not fit");
    }
    return bars;
}

template <class Column>
void append(Column& to, const Column& from) {
    to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

int chunk_part(const Timeframe& timeframe, std::int64_t stamp) {
    if (!timeframe.is_intraday()) {
        return 0;
    }
    const UtcTime time{std::chrono::nanoseconds{stamp}};
    return static_cast<int>(std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(time)}.year());
}

PartSpan chunk_parts(const Timeframe& timeframe, TimeRange range) {
    const std::int64_t start = range.start.time_since_epoch().count();
    const std::int64_t end = range.end.time_since_epoch().count();
    return {chunk_part(timeframe, start), chunk_part(timeframe, std::max(start, end - 1))};
}

Bars read_chunks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, PartSpan parts) {
    SQLite::Statement row(connection,
                          "SELECT part, rows, first, last, checksum, time, open, high, low, close, volume FROM chunk "
                          "WHERE series = ? AND part BETWEEN ? AND ? ORDER BY part");
    row.bind(1, series);
    row.bind(2, parts.first);
    row.bind(3, parts.last);
    Bars all;
    while (row.executeStep()) {
        const Bars bars = read_row(row, key);
        append(all.time, bars.time);
        const auto to = price_columns(all);
        const auto from = price_columns(bars);
        for (std::size_t i = 0; i < to.size(); ++i) {
            append(*to[i], *from[i]);
        }
    }
    return all;
}

std::optional<UtcTime> newest_bar(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(connection, "SELECT max(last) FROM chunk WHERE series = ?");
    row.bind(1, series);
    const bool there = row.executeStep() && !row.getColumn(0).isNull();
    return there ? std::optional(UtcTime{std::chrono::nanoseconds{row.getColumn(0).getInt64()}}) : std::nullopt;
}

void write_chunk(SQLite::Database& connection, std::int64_t series, int part, const Bars& bars) {
    SQLite::Statement row(connection,
                          "INSERT OR REPLACE INTO chunk(series, part, rows, first, last, checksum, time, open, high, "
                          "low, close, volume) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(1, series);
    row.bind(2, part);
    row.bind(3, static_cast<std::int64_t>(bars.size()));
    row.bind(4, bars.time.front());
    row.bind(5, bars.time.back());
    row.bind(6, checksum(bars));
    row.bindNoCopy(7, bars.time.data(), static_cast<int>(byte_size(bars.time)));
    int index = 8;
    for (const auto* column : price_columns(bars)) {
        row.bindNoCopy(index++, column->data(), static_cast<int>(byte_size(*column)));
    }
    row.exec();
}

}  // namespace ktrdr
