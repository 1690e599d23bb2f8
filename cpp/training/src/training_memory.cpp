#include <ktrdr/training/training_memory.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include <ktrdr/base/memory.hpp>

namespace ktrdr {
namespace {

/// Bytes of a bar: a stamp and five numbers.
constexpr double bar_bytes = 48;
/// Of a bar: class, end, last, weight and reason of its label.
constexpr double label_bytes = 36;
/// Of a row: its bar, where it is among the decided ones, its start and its end, as their vectors grow; its start among
/// those of all, and its place in a part.
constexpr double row_bytes = 64;
/// Of a base bar and a series: which of its bars is the newest, and where its stretch begins.
constexpr double seen_bytes = 17;
/// Of a bar of the walk: the node of its place, and its end.
constexpr double walk_bytes = 100;
/// Of a row that is tested: when it starts, closes and is known, what is predicted, true, and how likely.
constexpr double tested_bytes = 64;
/// Weights, gradients, two moments, the best weights, and of a checkpoint once more all but the gradients.
constexpr double copies_of_weights = 9;
/// Rows of an evaluation that go through the network together.
constexpr double evaluated_rows = 8192;
/// As the trainer gathers them: so many numbers at least, but no more than so many batches.
constexpr double block_numbers = 1 << 20;
constexpr double most_block_batches = 50;
/// The stack of its thread, and what LibTorch keeps for it.
constexpr double fixed_bytes = 16e6;

std::uint64_t whole(double bytes) {
    return static_cast<std::uint64_t>(std::max(bytes, 0.0));
}

/// What the estimate counts of a plan.
struct PlanCounts {
    double features{0};
    /// Fuzzy sets and prices that are read, by timeframe.
    std::vector<double> columns{};
    double outputs{0};

    explicit PlanCounts(const TrainingOperationContext& context) {
        const FeaturePlan& plan = context.strategy.features;
        features = static_cast<double>(feature_names(plan, context.timeframes).size());
        for (const Timeframe& timeframe : context.timeframes) {
            const std::size_t names = feature_names(plan, std::span(&timeframe, 1)).size();
            columns.push_back(static_cast<double>(names / (plan.lags + 1)));
        }
        for (const FeatureSource& source : plan.sources) {
            outputs = std::max(outputs, static_cast<double>(source.indicator.spec().outputs.size()));
        }
    }
};

/// What making the rows of one symbol takes.
struct SymbolBytes {
    /// Its matrix, labels and times, until all symbols are split.
    double kept{0};
    /// While its matrix is made: that, bars, columns and indicators.
    double building{0};
    /// Its part of the rows.
    double rows{0};
};

SymbolBytes bytes_of(const TrainingOperationContext& context, const PlanCounts& plan,
                     const std::vector<std::size_t>& bars) {
    const auto base = static_cast<double>(bars[context.base]);
    SymbolBytes bytes;
    bytes.rows = base * (4 * plan.features + 8 + (context.strategy.weigh_labels ? 4 : 0));
    bytes.kept = base * (4 * plan.features + label_bytes + row_bytes);
    bytes.building = base * 4 * plan.features;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        bytes.building += static_cast<double>(bars[i]) * (bar_bytes + 4 * plan.columns[i]) + base * seen_bytes;
    }
    bytes.building += static_cast<double>(*std::ranges::max_element(bars)) * 8 * plan.outputs;
    return bytes;
}

double learning_bytes(const TrainingOperationContext& context, double inputs, double rows) {
    const Strategy& strategy = context.strategy;
    double parameters = 0;
    double units = 0;
    double before = inputs;
    const auto add_layer = [&](double width) {
        parameters += (before + 1) * width;
        units += width;
        before = width;
    };
    for (const std::int64_t width : strategy.model.hidden_layers) {
        add_layer(static_cast<double>(width));
    }
    add_layer(static_cast<double>(signal_names.size()));
    const double batch = std::min(static_cast<double>(strategy.options.batch_size), rows);
    const double batches = std::clamp(block_numbers / (batch * (inputs + units) + 1), 1.0, most_block_batches);
    const bool weighed = strategy.weigh_labels || strategy.options.balance_classes;
    return 4 * copies_of_weights * parameters + 4 * batches * batch * (inputs + units) + 12 * batch * units +
           8 * std::min(evaluated_rows, rows) * units + 8 * rows * context.split.train +
           tested_bytes * rows * context.split.test + (weighed ? 8 * rows : 0) + fixed_bytes;
}

}  // namespace

TrainingMemory estimate_memory(const TrainingOperationContext& context,
                               std::span<const std::vector<std::size_t>> bars) {
    const PlanCounts plan(context);
    double rows = 0;
    double kept = 0;
    double largest = 0;
    double peak = 0;
    double base_bars = 0;
    double all_bars = 0;
    for (const std::vector<std::size_t>& symbol : bars) {
        const SymbolBytes bytes = bytes_of(context, plan, symbol);
        peak = std::max(peak, kept + bytes.building);
        kept += bytes.kept;
        rows += bytes.rows;
        largest = std::max(largest, bytes.rows);
        base_bars += static_cast<double>(symbol[context.base]);
        all_bars += static_cast<double>(std::accumulate(symbol.begin(), symbol.end(), std::size_t{0}));
    }
    // Put together one symbol after the other, each let go of when it is in.
    peak = std::max(peak, kept + largest);
    const double preparation = std::max(peak - rows, 0.0);
    const double walk = context.random_walk_baseline ? rows + preparation + walk_bytes * all_bars : 0;
    return {whole(rows), whole(preparation), whole(walk), whole(learning_bytes(context, plan.features, base_bars))};
}

std::string to_string(const TrainingMemory& memory) {
    const std::array<std::pair<const char*, std::uint64_t>, 4> parts{{{"rows", memory.rows},
                                                                      {"preparing them", memory.preparation},
                                                                      {"the random walk", memory.random_walk},
                                                                      {"learning", memory.learning}}};
    std::vector<std::string> named;
    for (const auto& [name, bytes] : parts) {
        if (bytes > 0) {
            named.push_back(fmt::format("{} {}", name, memory_text(bytes)));
        }
    }
    return fmt::format("{} ({})", memory_text(memory.total()), fmt::join(named, ", "));
}

}  // namespace ktrdr
