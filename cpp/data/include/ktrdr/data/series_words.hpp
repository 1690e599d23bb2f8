#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/calendar/calendar_rules.hpp>
#include <ktrdr/data/bar_source.hpp>

namespace ktrdr {

/// Which series of a symbol and timeframe is meant, in the caller's own words; unset where he does not say.
struct SeriesWords {
    /// stock, etf, index, future, option, forex or crypto.
    std::optional<std::string> instrument_type{};
    /// TRADES, MIDPOINT, BID, …; adjusted bars are ADJUSTED_LAST.
    std::optional<std::string> what_to_show{};
    /// regular or extended.
    std::optional<std::string> session{};
    /// As the provider names them.
    std::optional<std::string> exchange{};
    std::optional<std::string> currency{};

    friend bool operator==(const SeriesWords&, const SeriesWords&) = default;
};

struct SeriesRequest {
    std::string symbol{};
    std::string timeframe{};
    SeriesWords series{};
};

/// A series that was found sound, and the periods of its bars: with the calendar of its contract, where that is known.
struct FoundSeries {
    SeriesKey key;
    BarGrid grid;
};

/// What unset words mean.
enum class SeriesUse {
    /// Whatever is stored, as long as that is one.
    read,
    /// What a load asks for where nobody says otherwise: trades, of forex midpoints, of regular hours.
    load,
};

/// What bars of an asset class show where nobody says: MIDPOINT of forex, which has no trades; else TRADES.
[[nodiscard]] KTRDR_EXPORT std::string_view usual_show(std::string_view asset_class) noexcept;

/// Errors: `invalid_argument` naming the word and what is allowed.
[[nodiscard]] KTRDR_EXPORT Result<void> check_words(const SeriesWords& words);

/// What a source is asked for by words, and where bars of that series are to be.
[[nodiscard]] SeriesKind kind_of(const SeriesWords& words);
[[nodiscard]] SeriesKind kind_of(const SeriesKey& key);

/// The series of `provider` that symbol (see `parse_symbol`), timeframe and words say, as if nothing were known.
/// Errors: `invalid_argument` naming the argument, its value and what is allowed.
[[nodiscard]] KTRDR_EXPORT Result<SeriesKey> check_series(const SeriesRequest& request, const std::string& provider);

/// The series that is meant: the stored one that fits the words; of several the usual one; else one that is not stored
/// yet. Errors: those of `check_series`; `invalid_argument` listing the candidates where more than one fits.
[[nodiscard]] KTRDR_EXPORT Result<FoundSeries> find_series(const SeriesRequest& request, const std::string& provider,
                                                           const KnownSeries& known, SeriesUse use,
                                                           const CalendarRulesPtr& calendars = nullptr);
/// The same by what a store knows; where that cannot be read, as if nothing were known. Blocks on the disk.
[[nodiscard]] Result<FoundSeries> find_series(const SeriesRequest& request, const std::string& provider,
                                              BarStore& store, SeriesUse use,
                                              const CalendarRulesPtr& calendars = nullptr);

/// The key of the stored series that has exactly the parts that are said. `not_found` where there is none,
/// `invalid_argument` listing the candidates where there are several.
[[nodiscard]] KTRDR_EXPORT Result<SeriesKey> exact_key(const SeriesRequest& request, const std::string& provider,
                                                       const KnownSeries& known);

/// The key with what its provider says that the symbol stands for, in place of what nobody has said.
/// Errors: `invalid_argument` where that is something else than the key or the words say.
[[nodiscard]] KTRDR_EXPORT Result<SeriesKey> completed(SeriesKey key, const SeriesWords& words,
                                                       const Contract& contract);

}  // namespace ktrdr
