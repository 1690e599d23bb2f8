#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/features/dropped_rows.hpp>
#include <ktrdr/features/scaling.hpp>
#include <ktrdr/features/split.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/trainer.hpp>
#include <ktrdr/training/training_context.hpp>

namespace ktrdr {

/// The work on one symbol, in order.
inline constexpr std::array<std::string_view, 5> preparation_stages{"loading", "indicators", "fuzzy", "features",
                                                                    "labels"};

/// Where the rows of one symbol went.
struct SymbolSummary {
    std::string symbol{};
    std::size_t bars{0};
    UtcTime first{};
    UtcTime last{};
    /// Bars without a row.
    DroppedRows dropped{};
    std::size_t train{0};
    std::size_t validation{0};
    std::size_t test{0};
    /// Of those to test on, the ones that a model which is there already was trained on, or chosen by.
    std::size_t seen{0};
};

/// Where bars of a series are missing.
struct SeriesHole {
    std::string symbol{};
    Timeframe timeframe;
    TimeRange range{};
    /// 0 where no calendar says.
    std::size_t sessions{0};

    friend bool operator==(const SeriesHole&, const SeriesHole&) = default;
};

/// What trainings of one plan on the same bars share; it does not change once it is made.
struct TrainingData {
    std::vector<std::string> feature_names{};
    TrainingRows rows{};
    /// When the bar of each row to test on starts, and when it closes.
    std::vector<UtcTime> test_starts{};
    std::vector<UtcTime> test_closes{};
    /// When the label of each row to test on is known.
    std::vector<UtcTime> test_known{};
    std::vector<SymbolSummary> symbols{};
    /// In the bars that it was made of.
    std::vector<BarBreak> breaks{};
    std::vector<SeriesHole> holes{};
    /// Of each symbol and timeframe.
    std::vector<SeriesBasis> series{};
    /// When validation and test begin, of every symbol.
    CutTimes cuts{};
    /// What the rows went through after they were made; a model's features must, too.
    std::optional<FeatureScaling> scaling{};

    /// How many rows to test on each symbol has, in the order of `symbols`.
    [[nodiscard]] KTRDR_EXPORT std::vector<std::size_t> test_rows_of_symbols() const;
};

/// Hears which stage (an index of `preparation_stages`) of which symbol begins.
using PreparationListener = std::function<void(std::size_t symbol, std::size_t stage)>;

/// Bars of every symbol, turned into rows, all of them split at one pair of times.
///
/// No window, lag or label spans a hole in the bars. Scaling is fitted on the rows that train alone.
/// Errors: `not_enough_data` naming symbol, bars and how many are needed; what the provider says.
/// Cancellation: the token is checked before each stage, within features before each indicator and input, and every few
/// thousand rows while they are split.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<const TrainingData>> prepare_training_data(
    const TrainingOperationContext& context, BarProvider& bars, const CancellationToken& token,
    const PreparationListener& listener);

/// A model that is there already, and is to be judged.
struct JudgedModel {
    /// What its features go through; null for nothing.
    const FeatureScaling* scaling{nullptr};
    /// When its own test began: it has seen what starts before.
    UtcTime test_from{};
    /// The class that was most frequent where it was trained; it stands for the labels of the rows to train on.
    std::int64_t prior{0};
};

/// The same for a model that is judged: all rows from `test_from` of the context on are rows to test on, and nothing
/// trains. Older bars are history alone.
/// Errors and cancellation: as above; `not_enough_data` where no row is left.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<const TrainingData>> prepare_judged_data(
    const TrainingOperationContext& context, const JudgedModel& model, BarProvider& bars,
    const CancellationToken& token, const PreparationListener& listener);

/// The stored bars of a series between the dates of the request, as its sessions have them.
/// Errors: those of `BarProvider::grid` and `bars`, `invalid_argument` where nothing lies between the dates.
[[nodiscard]] KTRDR_EXPORT Result<BarsPtr> bars_of(const TrainingOperationContext& context, BarProvider& bars,
                                                   const std::string& symbol, const Timeframe& timeframe,
                                                   const CancellationToken& token);

/// The fewest bars of the base timeframe that leave every part of the split ten rows after the purge.
[[nodiscard]] KTRDR_EXPORT std::size_t bars_needed(const TrainingOperationContext& context);

/// One text for each, saying what follows from it.
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> break_warnings(std::span<const BarBreak> breaks,
                                                                   std::string_view what_follows);

/// One text for each series with holes, naming the longest, what lies behind it (`what_follows`), and how to go on.
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> hole_warnings(std::span<const SeriesHole> holes,
                                                                  std::string_view what_follows);

/// What a person should know of the data before believing in the model: holes (the longest is named), prices that are
/// missing or 0, symbols without rows in a part of the split, basis breaks, classes that no row to train on has.
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> warnings_of(const TrainingData& data);

}  // namespace ktrdr
