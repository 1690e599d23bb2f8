// What a person is told of the data of a training.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include <ktrdr/features/labels.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {
namespace {

bool same_series(const SeriesHole& one, const SeriesHole& other) {
    return one.symbol == other.symbol && one.timeframe == other.timeframe;
}

void add_symbols(const TrainingData& data, std::vector<std::string>& warnings) {
    for (const SymbolSummary& one : data.symbols) {
        if (const std::size_t rows = one.dropped[DropReason::nan]; rows > 0) {
            warnings.push_back(
                fmt::format("{}: {} of {} bars have no row, as a price in their windows is missing or 0; "
                            "look at the bars with check_quality",
                            one.symbol, rows, one.bars));
        }
        for (const auto& [rows, does] :
             {std::pair{one.train, "train"}, std::pair{one.validation, "validate"}, std::pair{one.test, "test"}}) {
            if (rows == 0) {
                warnings.push_back(fmt::format("{}: no row of it is there to {}: all symbols are split at {} and {}",
                                               one.symbol, does, format_time(data.cuts.validation),
                                               format_time(data.cuts.test)));
            }
        }
    }
}

void add_classes(const LabeledMatrix& train, std::vector<std::string>& warnings) {
    for (std::size_t k = 0; k < signal_names.size(); ++k) {
        if (std::ranges::find(train.labels, static_cast<std::int64_t>(k)) == train.labels.end()) {
            // A wider band of hold takes rows from the other two.
            const bool is_hold = k == static_cast<std::size_t>(Signal::hold);
            warnings.push_back(fmt::format("no row to train on is labelled '{}'; {}", signal_names[k],
                                           is_hold ? "raise training.labels.threshold or lower label_lookahead"
                                                   : "lower training.labels.threshold or raise label_lookahead"));
        }
    }
}

/// The longest of each series.
std::vector<const SeriesHole*> longest_of(std::span<const SeriesHole> holes) {
    std::vector<const SeriesHole*> longest;
    for (const SeriesHole& one : holes) {
        const auto found =
            std::ranges::find_if(longest, [&](const SeriesHole* other) { return same_series(one, *other); });
        if (found == longest.end()) {
            longest.push_back(&one);
        } else if (one.range.end - one.range.start > (*found)->range.end - (*found)->range.start) {
            *found = &one;
        }
    }
    return longest;
}

}  // namespace

std::vector<std::string> break_warnings(std::span<const BarBreak> breaks, std::string_view what_follows) {
    std::vector<std::string> warnings;
    for (const BarBreak& one : breaks) {
        warnings.push_back(fmt::format(
            "{} {}: prices from {} on are {:.6g} times what those before are on (a split, a dividend), and {}",
            one.symbol, one.timeframe.name(), format_time(one.at), one.ratio, what_follows));
    }
    return warnings;
}

std::vector<std::string> hole_warnings(std::span<const SeriesHole> holes, std::string_view what_follows) {
    std::vector<std::string> warnings;
    for (const SeriesHole* const one : longest_of(holes)) {
        const auto count =
            std::ranges::count_if(holes, [one](const SeriesHole& other) { return same_series(*one, other); });
        warnings.push_back(fmt::format(
            "{}{}{}: no bars from {} to {}{}{}; {}", one->symbol, one->symbol.empty() ? "" : " ", one->timeframe.name(),
            format_time(one->range.start), format_time(one->range.end),
            one->sessions == 0 ? "" : fmt::format(", {} session{}", one->sessions, one->sessions == 1 ? "" : "s"),
            count == 1 ? "" : fmt::format(", the longest of {} holes", count), what_follows));
    }
    return warnings;
}

std::vector<std::string> warnings_of(const TrainingData& data) {
    std::vector<std::string> warnings = break_warnings(
        data.breaks, "the model learns that as a move; load the whole range with refresh=True and train again");
    std::ranges::move(hole_warnings(data.holes,
                                    "rows whose window or label would span that are left out: load the "
                                    "range, or train on dates without it"),
                      std::back_inserter(warnings));
    add_symbols(data, warnings);
    add_classes(data.rows.train, warnings);
    return warnings;
}

}  // namespace ktrdr
