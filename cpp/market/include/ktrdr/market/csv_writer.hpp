#pragma once

#include <cstddef>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/csv_style.hpp>

namespace ktrdr {

/// The first line, `timestamp,open,high,low,close,volume`, behind what `text` has.
KTRDR_EXPORT void append_csv_header(std::string& text);

/// Rows `[first, last)` as lines that end with LF: the bar's start (`2024-01-31T09:30:00Z`, a fraction only where it is
/// not a whole second), then the shortest decimals that mean the same doubles, as Python writes them.
///
/// Cost: one pass; about 80 ns a row for prices of up to five decimals.
KTRDR_EXPORT void append_csv_rows(std::string& text, const Bars& bars, std::size_t first, std::size_t last,
                                  const CsvStyle& style = {});

}  // namespace ktrdr
