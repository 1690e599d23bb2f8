#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// What a row says of the bars that it holds, and they, in this order.
inline constexpr std::string_view stored_columns = "rows, first, last, checksum, time, open, high, low, close, volume";
inline constexpr int stored_column_count = 10;

[[nodiscard]] std::array<const std::vector<double>*, 5> price_columns(const Bars& bars);
[[nodiscard]] std::array<std::vector<double>*, 5> price_columns(Bars& bars);
/// Behind those that are there.
void append(Bars& to, const Bars& from);

/// Told how a row is damaged; must throw.
using OnDamage = std::function<void(const std::string& how)>;
/// The bars of a row whose `stored_columns` begin at column `index`, checked: checksum, order, count and ends.
[[nodiscard]] Bars stored_bars(SQLite::Statement& row, int index, const OnDamage& on_damage);
/// The same behind those that are there, which must be older.
void append_stored(Bars& bars, SQLite::Statement& row, int index, const OnDamage& on_damage);
/// The same into rows `[first, first + rows)` of bars that have room for them; a row of another count is damaged.
void place_stored(Bars& bars, std::size_t first, std::size_t rows, SQLite::Statement& row, int index,
                  const OnDamage& on_damage);
/// Bind rows `[first, last)` of the bars, which must live until it has run, from parameter `index` on.
void bind_bars(SQLite::Statement& row, int index, const Bars& bars, std::size_t first, std::size_t last);

}  // namespace ktrdr
