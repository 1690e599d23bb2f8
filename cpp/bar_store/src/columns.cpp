#include "columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "crc32.hpp"

namespace ktrdr {
namespace {

static_assert(std::endian::native == std::endian::little, "chunks are written as the machine's own numbers");

/// Hand the bytes of rows `[first, last)` of every column to `add`, in the order in which they are stored.
template <class Add>
void for_each_column(const Bars& bars, std::size_t first, std::size_t last, Add add) {
    const auto hand = [&](const auto& column) {
        add(reinterpret_cast<const unsigned char*>(column.data() + first), (last - first) * sizeof(column[0]));
    };
    hand(bars.time);
    for (const auto* column : price_columns(bars)) {
        hand(*column);
    }
}

/// CRC-32: finds damage, not malice.
std::int64_t checksum(const Bars& bars, std::size_t first, std::size_t last) {
    std::uint32_t sum = 0;
    for_each_column(bars, first, last,
                    [&sum](const unsigned char* bytes, std::size_t size) { sum = crc32_of(sum, bytes, size); });
    return sum;
}

/// The sum of chunks that the first files hold: FNV-1a (Fowler, Noll, Vo), 64 bits. They are read as they are, and get
/// the other sum when something is added to them.
std::int64_t first_checksum(const Bars& bars, std::size_t first, std::size_t last) {
    std::uint64_t sum = 0xcbf29ce484222325ULL;
    for_each_column(bars, first, last, [&sum](const unsigned char* bytes, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) {
            sum = (sum ^ bytes[i]) * 0x100000001b3ULL;
        }
    });
    return std::bit_cast<std::int64_t>(sum);
}

/// Behind what is in `column`, straight from SQLite's memory.
template <class Number>
void append_column(std::vector<Number>& column, SQLite::Statement& row, int index, std::size_t rows,
                   const OnDamage& on_damage) {
    const SQLite::Column stored = row.getColumn(index);
    const void* const data = stored.getBlob();
    const auto size = static_cast<std::size_t>(stored.getBytes());
    if (size != rows * sizeof(Number)) {
        on_damage(fmt::format("column {} has {} bytes for {} rows", stored.getName(), size, rows));
    }
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(Number) == 0) {
        // Without zeros first, as below.
        const auto* const values = static_cast<const Number*>(data);
        column.insert(column.end(), values, values + rows);
        return;
    }
    const std::size_t before = column.size();
    column.resize(before + rows);
    std::memcpy(column.data() + before, data, size);
}

/// What a row says of rows `[first, last)`, which came from it; and that those from `before` on are in order.
void check_rows(const Bars& bars, std::size_t before, std::size_t first, std::size_t last, SQLite::Statement& row,
                int index, const OnDamage& on_damage) {
    const std::int64_t sum = row.getColumn(index + 3).getInt64();
    if (sum != checksum(bars, first, last) && sum != first_checksum(bars, first, last)) {
        on_damage("its checksum does not fit");
    }
    if (bars.time[first] != row.getColumn(index + 1).getInt64() ||
        bars.time[last - 1] != row.getColumn(index + 2).getInt64()) {
        on_damage("its first or last stamp does not fit");
    }
    const auto at = [&bars](std::size_t place) { return bars.time.begin() + static_cast<std::ptrdiff_t>(place); };
    if (std::adjacent_find(at(before), at(last), std::greater_equal<>()) != at(last)) {
        on_damage("its bars are out of order");
    }
}

}  // namespace

std::array<const std::vector<double>*, 5> price_columns(const Bars& bars) {
    return {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
}

std::array<std::vector<double>*, 5> price_columns(Bars& bars) {
    return {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
}

void append(Bars& to, const Bars& from) {
    to.time.insert(to.time.end(), from.time.begin(), from.time.end());
    const auto into = price_columns(to);
    const auto columns = price_columns(from);
    for (std::size_t i = 0; i < into.size(); ++i) {
        into[i]->insert(into[i]->end(), columns[i]->begin(), columns[i]->end());
    }
}

Bars stored_bars(SQLite::Statement& row, int index, const OnDamage& on_damage) {
    Bars bars;
    append_stored(bars, row, index, on_damage);
    return bars;
}

void append_stored(Bars& bars, SQLite::Statement& row, int index, const OnDamage& on_damage) {
    const std::int64_t rows = row.getColumn(index).getInt64();
    // The bytes are there or not: what a damaged count says is never allocated.
    if (rows < 1 || rows > row.getColumn(index + 4).getBytes() / static_cast<int>(sizeof(std::int64_t))) {
        on_damage(fmt::format("it says that it has {} rows", rows));
    }
    const auto count = static_cast<std::size_t>(rows);
    const std::size_t first = bars.size();
    const std::size_t last = first + count;
    append_column(bars.time, row, index + 4, count, on_damage);
    int column_index = index + 5;
    for (auto* column : price_columns(bars)) {
        append_column(*column, row, column_index++, count, on_damage);
    }
    check_rows(bars, first - (first > 0 ? 1 : 0), first, last, row, index, on_damage);
}

void place_stored(Bars& bars, std::size_t first, std::size_t rows, SQLite::Statement& row, int index,
                  const OnDamage& on_damage) {
    if (row.getColumn(index).getInt64() != static_cast<std::int64_t>(rows)) {
        on_damage(fmt::format("it says that it has {} rows", row.getColumn(index).getInt64()));
    }
    const auto place = [&](auto& column, int at) {
        const SQLite::Column stored = row.getColumn(at);
        const void* const data = stored.getBlob();
        const auto size = static_cast<std::size_t>(stored.getBytes());
        if (size != rows * sizeof column[0]) {
            on_damage(fmt::format("column {} has {} bytes for {} rows", stored.getName(), size, rows));
        }
        std::memcpy(column.data() + first, data, size);
    };
    place(bars.time, index + 4);
    int column_index = index + 5;
    for (auto* column : price_columns(bars)) {
        place(*column, column_index++);
    }
    check_rows(bars, first, first, first + rows, row, index, on_damage);
}

void bind_bars(SQLite::Statement& row, int index, const Bars& bars, std::size_t first, std::size_t last) {
    row.bind(index++, static_cast<std::int64_t>(last - first));
    row.bind(index++, bars.time[first]);
    row.bind(index++, bars.time[last - 1]);
    row.bind(index++, checksum(bars, first, last));
    for_each_column(bars, first, last, [&](const unsigned char* bytes, std::size_t size) {
        row.bindNoCopy(index++, bytes, static_cast<int>(size));
    });
}

}  // namespace ktrdr
