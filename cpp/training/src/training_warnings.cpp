// What a person is told of the data of a training.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <ktrdr/features/labels.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {
namespace {

void add_breaks(const TrainingData& data, std::vector<std::string>& warnings) {
    for (const BarBreak& one : data.breaks) {
        warnings.push_back(fmt::format(
            "{} {}: prices from {} on are {:.6g} times what those before are on (a split, a dividend), and the "
            "model learns that as a move; load the whole range with refresh=True and train again",
            one.symbol, one.timeframe.name(), format_time(one.at), one.ratio));
    }
}

/// One for each series, of its longest.
void add_holes(const TrainingData& data, std::vector<std::string>& warnings) {
    std::vector<const SeriesHole*> longest;
    for (const SeriesHole& one : data.holes) {
        const auto same_series = [&one](const SeriesHole* other) {
            return other->symbol == one.symbol && other->timeframe == one.timeframe;
        };
        const auto found = std::ranges::find_if(longest, same_series);
        if (found == longest.end()) {
            longest.push_back(&one);
        } else if (one.range.end - one.range.start > (*found)->range.end - (*found)->range.start) {
            *found = &one;
        }
    }
    for (const SeriesHole* const one : longest) {
        const auto count = std::ranges::count_if(data.holes, [one](const SeriesHole& other) {
            return other.symbol == one->symbol && other.timeframe == one->timeframe;
        });
        warnings.push_back(fmt::format(
            "{} {}: no bars from {} to {}{}{}; rows whose window or label would span that are left out: load the "
            "range, "
            "or train on dates without it",
            one->symbol, one->timeframe.name(), format_time(one->range.start), format_time(one->range.end),
            one->sessions == 0 ? "" : fmt::format(", {} session{}", one->sessions, one->sessions == 1 ? "" : "s"),
            count == 1 ? "" : fmt::format(", the longest of {} holes", count)));
    }
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
            warnings.push_back(fmt::format(
                "no row to train on is labelled '{}'; lower training.labels.threshold or raise label_lookahead",
                signal_names[k]));
        }
    }
}

}  // namespace

std::vector<std::string> warnings_of(const TrainingData& data) {
    std::vector<std::string> warnings;
    add_breaks(data, warnings);
    add_holes(data, warnings);
    add_symbols(data, warnings);
    add_classes(data.rows.train, warnings);
    return warnings;
}

}  // namespace ktrdr
