#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Most bytes of a symbol.
inline constexpr std::size_t longest_symbol = 128;

/// A symbol as its provider writes it, without the blanks around it: `AAPL`, `BRK B`, `M&M`, `BTC/USDT:USDT`, `$SPX`,
/// an option's `AAPL  250117C00150000` with the blanks inside.
///
/// It is any text that can be printed: UTF-8, 1 to 128 bytes, no character that controls, none that nobody sees or
/// that is one blank more beside the ordinary one (Unicode's Cc, Cf, Co, Zl, Zp, and Zs but the space), no
/// noncharacter.
/// Errors: `invalid_argument` naming `field`, what is wrong and where.
[[nodiscard]] KTRDR_EXPORT Result<std::string> parse_symbol(std::string_view text, std::string_view field = "symbol");

/// `{symbol}_{timeframe}{extension}` as the name of a file, the symbol percent-encoded: `BRK%20B_1d.csv`.
/// Errors: `invalid_argument` where that is longer than a name may be.
[[nodiscard]] KTRDR_EXPORT Result<std::string> series_file_name(std::string_view symbol, std::string_view timeframe,
                                                                std::string_view extension);

}  // namespace ktrdr
