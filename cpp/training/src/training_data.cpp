#include <ktrdr/training/training_data.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ktrdr {
namespace {

constexpr std::size_t least_rows = 10;

/// Bars between a row and the first that may follow it in another part.
std::size_t bars_between_parts(const TrainingOperationContext& context) {
    return context.strategy.labels.lookahead + context.strategy.embargo;
}

Error too_few(const TrainingOperationContext& context, const std::string& symbol, const Timeframe& timeframe,
              std::size_t bars, std::size_t needed) {
    return fail(
        Errc::not_enough_data,
        fmt::format("{} {} has {} bars to train on; {} are needed ({} warm the indicators up, {} decide the last "
                    "label, the rest is split {:g}/{:g}/{:g}); load more bars or widen start_date and end_date",
                    symbol, timeframe.name(), bars, needed, warm_up_bars(context.strategy.features),
                    context.strategy.labels.lookahead, context.split.train, context.split.validation,
                    context.split.test),
        {{"symbol", symbol}, {"timeframe", timeframe.name()}, {"bars", bars}, {"bars_needed", needed}});
}

/// The rows of one symbol before it is known which part each belongs to. Label, times and weight are of a bar, not of a
/// row.
struct SymbolRows {
    FeatureMatrix features{};
    Labels labels{};
    /// Rows of the matrix whose label is decided.
    std::vector<std::size_t> decided{};
    /// Of the decided rows: when each one's bar starts, and when its label is known and the embargo behind it is over.
    std::vector<UtcTime> starts{};
    std::vector<UtcTime> ends{};
};

/// When so many bars more have ended. Behind the last one they are taken to follow at their length.
UtcTime end_with_embargo(const Bars& bars, const BarGrid& grid, std::size_t last, std::size_t embargo) {
    const std::size_t there = std::min(embargo, bars.size() - 1 - last);
    const UtcTime end = grid.end_of(bars.start_of(last + there));
    const std::size_t beyond = embargo - there;
    const auto most = static_cast<std::size_t>((UtcTime::max() - end) / grid.timeframe().shortest());
    return beyond > most ? UtcTime::max() : end + static_cast<std::int64_t>(beyond) * grid.timeframe().shortest();
}

/// Which rows of the matrix are decided, and their times.
void find_decided(SymbolRows& rows, const FeatureSeries& base, std::size_t embargo, DroppedRows& dropped) {
    for (std::size_t row = 0; row < rows.features.bar.size(); ++row) {
        const std::size_t bar = rows.features.bar[row];
        if (rows.labels.reasons[bar] != DropReason::none) {
            dropped.add(rows.labels.reasons[bar]);
            continue;
        }
        rows.decided.push_back(row);
        rows.starts.push_back(base.grid.period_of(base.bars->start_of(bar)).start);
        rows.ends.push_back(embargo == 0 ? rows.labels.ends[bar]
                                         : end_with_embargo(*base.bars, base.grid, rows.labels.last[bar], embargo));
    }
}

/// `rows` count the decided ones.
void append(LabeledMatrix& part, const SymbolRows& from, const std::vector<std::size_t>& rows) {
    const std::size_t columns = from.features.names.size();
    part.columns = columns;
    for (const std::size_t row : rows) {
        const std::size_t in_matrix = from.decided[row];
        const std::size_t bar = from.features.bar[in_matrix];
        const auto first = from.features.values.begin() + static_cast<std::ptrdiff_t>(in_matrix * columns);
        part.values.insert(part.values.end(), first, first + static_cast<std::ptrdiff_t>(columns));
        part.labels.push_back(from.labels.classes[bar]);
    }
    part.rows += rows.size();
}

/// Prepares one symbol after the other, then splits all of them at the same times.
class Preparation final {
public:
    Preparation(const TrainingOperationContext& context, BarProvider& provider, const CancellationToken& token,
                const PreparationListener& listener)
        : context_(context), provider_(provider), token_(token), listener_(listener) {}

    Result<std::shared_ptr<const TrainingData>> run() {
        for (index_ = 0; index_ < context_.symbols.size(); ++index_) {
            stage_ = preparation_stages.size();
            if (auto added = add_symbol(context_.symbols[index_]); !added) {
                return added.error();
            }
        }
        if (auto split = split_rows(); !split) {
            return split.error();
        }
        if (context_.strategy.scale_features) {
            scale_rows();
        }
        return std::shared_ptr<const TrainingData>(std::move(data_));
    }

private:
    Result<void> enter(std::string_view stage) {
        const auto index =
            static_cast<std::size_t>(std::ranges::find(preparation_stages, stage) - preparation_stages.begin());
        // Every input asks again; the listener hears a stage when it changes, and indicators alternate with sets.
        if (index != stage_ && (stage_ == preparation_stages.size() || index > stage_)) {
            stage_ = index;
            listener_(index_, index);
        }
        return token_.check(fmt::format("preparing {}: {}", context_.symbols[index_], stage));
    }

    Result<std::vector<FeatureSeries>> load(const std::string& symbol) {
        std::vector<FeatureSeries> series;
        for (const Timeframe& timeframe : context_.timeframes) {
            if (auto go = enter("loading"); !go) {
                return go.error();
            }
            auto bars = provider_.bars(symbol, timeframe, context_.range(), token_);
            if (!bars) {
                return bars.error();
            }
            if (const auto found = note_breaks(symbol, timeframe, **bars); !found) {
                return found.error();
            }
            const bool base = timeframe == context_.base_timeframe();
            const std::size_t needed =
                std::max(context_.strategy.history_required,
                         base ? bars_needed(context_) : warm_up_bars(context_.strategy.features) + 1);
            if ((*bars)->size() < needed) {
                return too_few(context_, symbol, timeframe, (*bars)->size(), needed);
            }
            series.push_back({BarGrid(timeframe), std::move(*bars), {}});
        }
        if (auto found = find_holes_of(symbol, series); !found) {
            return found.error();
        }
        return series;
    }

    /// Other timeframes must go on for as long as there are rows.
    Result<void> find_holes_of(const std::string& symbol, std::vector<FeatureSeries>& series) {
        const FeatureSeries& base = series[context_.base];
        const UtcTime end = base.grid.end_of(base.bars->start_of(base.bars->size() - 1));
        for (FeatureSeries& one : series) {
            const auto until = &one == &base ? std::nullopt : std::optional(end);
            auto holes = provider_.holes(symbol, one.grid.timeframe(), *one.bars, until);
            if (!holes) {
                return holes.error();
            }
            for (const Hole& hole : *holes) {
                data_->holes.push_back({symbol, one.grid.timeframe(), hole.range, hole.sessions});
            }
            one.holes = std::move(*holes);
        }
        return {};
    }

    Result<void> note_breaks(const std::string& symbol, const Timeframe& timeframe, const Bars& bars) {
        if (bars.empty()) {
            return {};
        }
        // What begins with the first bar parts it from none that is here.
        const TimeRange between{bars.start_of(0) + std::chrono::nanoseconds{1},
                                bars.start_of(bars.size() - 1) + std::chrono::nanoseconds{1}};
        auto found = provider_.breaks(symbol, timeframe, between);
        if (!found) {
            return found.error();
        }
        std::ranges::move(*found, std::back_inserter(data_->breaks));
        return {};
    }

    Result<void> add_symbol(const std::string& symbol) {
        const auto series = load(symbol);
        if (!series) {
            return series.error();
        }
        auto features = build_features(context_.strategy.features, *series, context_.base,
                                       [this](std::string_view step) { return enter(step); });
        if (!features) {
            return features.error();
        }
        if (auto go = enter("labels"); !go) {
            return go;
        }
        const FeatureSeries& base = (*series)[context_.base];
        auto labels = make_labels(*base.bars, base.grid, context_.strategy.labels, base.holes);
        if (!labels) {
            return labels.error();
        }
        const Bars& bars = *base.bars;
        SymbolSummary summary;
        summary.symbol = symbol;
        summary.bars = bars.size();
        summary.first = bars.start_of(0);
        summary.last = bars.start_of(bars.size() - 1);
        summary.dropped = features->dropped;
        SymbolRows rows;
        rows.features = std::move(*features);
        rows.labels = std::move(*labels);
        find_decided(rows, base, context_.strategy.embargo, summary.dropped);
        data_->feature_names = rows.features.names;
        data_->symbols.push_back(std::move(summary));
        rows_.push_back(std::move(rows));
        return {};
    }

    /// At one pair of times for all symbols.
    Result<void> split_rows() {
        std::vector<UtcTime> starts;
        for (const SymbolRows& rows : rows_) {
            starts.insert(starts.end(), rows.starts.begin(), rows.starts.end());
        }
        data_->cuts = cut_times(std::move(starts), context_.split);
        std::vector<SplitRows> parts;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            parts.push_back(split_at({rows_[i].starts, rows_[i].ends}, data_->cuts));
            SymbolSummary& summary = data_->symbols[i];
            summary.dropped.add(DropReason::purged, parts[i].purged);
            summary.train = parts[i].train.size();
            summary.validation = parts[i].validation.size();
            summary.test = parts[i].test.size();
        }
        auto& [train, validation, test] = data_->rows;
        reserve(train, &SymbolSummary::train);
        reserve(validation, &SymbolSummary::validation);
        reserve(test, &SymbolSummary::test);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            append(train, rows_[i], parts[i].train);
            append(validation, rows_[i], parts[i].validation);
            append(test, rows_[i], parts[i].test);
            // Two copies of its rows are never kept for longer than that.
            rows_[i] = {};
        }
        if (train.rows == 0 || validation.rows == 0 || test.rows == 0) {
            return fail(
                Errc::not_enough_data,
                fmt::format("after the split {} rows train, {} validate and {} test; every part needs rows: load "
                            "more bars or change data_split",
                            train.rows, validation.rows, test.rows));
        }
        return {};
    }

    void reserve(LabeledMatrix& part, std::size_t SymbolSummary::* count) const {
        std::size_t rows = 0;
        for (const SymbolSummary& summary : data_->symbols) {
            rows += summary.*count;
        }
        part.values.reserve(rows * data_->feature_names.size());
        part.labels.reserve(rows);
    }

    /// What later parts show has no say in it.
    void scale_rows() {
        auto& [train, validation, test] = data_->rows;
        data_->scaling = fit_scaling(train.values, train.columns);
        for (LabeledMatrix* const part : {&train, &validation, &test}) {
            scale(*data_->scaling, part->values);
        }
    }

    const TrainingOperationContext& context_;
    BarProvider& provider_;
    const CancellationToken& token_;
    const PreparationListener& listener_;
    std::size_t index_{0};
    std::size_t stage_{0};
    std::vector<SymbolRows> rows_{};
    std::shared_ptr<TrainingData> data_ = std::make_shared<TrainingData>();
};

}  // namespace

std::size_t bars_needed(const TrainingOperationContext& context) {
    const std::size_t between = bars_between_parts(context);
    const double smallest = std::min({context.split.train, context.split.validation, context.split.test});
    const auto rows = static_cast<std::size_t>(std::ceil(static_cast<double>(between + least_rows) / smallest));
    return warm_up_bars(context.strategy.features) + context.strategy.labels.lookahead + rows;
}

Result<std::shared_ptr<const TrainingData>> prepare_training_data(const TrainingOperationContext& context,
                                                                  BarProvider& bars, const CancellationToken& token,
                                                                  const PreparationListener& listener) {
    return Preparation(context, bars, token, listener).run();
}

}  // namespace ktrdr
